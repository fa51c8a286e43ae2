"""British spellings are replaced by American ones, and other words are kept."""

import pytest

from sklearn_neurocontext._utils.spelling import AMERICAN_WORDS
from sklearn_neurocontext._utils.validation import american_spelling

# Each British word is followed by its American form.
PAIRS = {
    "our": """
        behaviour behavior, behaviourally behaviorally, neurobehavioural neurobehavioral
        colour color, discoloured discolored, colourful colorful, colourise colorize
        tumours tumors, antitumour antitumor, humour humor, favourable favorable
        favourite favorite, neighbourhood neighborhood, odourless odorless
        labour labor, honour honor, vigour vigor, rigour rigor, harbour harbor
        flavoured flavored, endeavour endeavor, armour armor, vapour vapor
        unfavourable unfavorable, rumour rumor, savoury savory, watercolour watercolor
    """,
    "ae": """
        haemodynamic hemodynamic, haemorrhage hemorrhage, haematoma hematoma
        deoxyhaemoglobin deoxyhemoglobin, haemophilia hemophilia, haem heme
        anaemia anemia, anaemic anemic, leukaemia leukemia, leukaemias leukemias
        hypoglycaemia hypoglycemia, hyperglycaemic hyperglycemic, uraemia uremia
        ischaemia ischemia, ischaemic ischemic, septicaemia septicemia
        hyponatraemia hyponatremia, hypoxaemia hypoxemia, hypercapnia hypercapnia
        paediatric pediatric, orthopaedics orthopedics, paedophilia pedophilia
        encyclopaedia encyclopedia, anaesthesia anesthesia, anaesthetised anesthetized
        paraesthesia paresthesia, dysaesthesia dysesthesia, kinaesthetic kinesthetic
        synaesthesia synesthesia, synaesthete synesthete, hyperaesthesia hyperesthesia
        aetiology etiology, aetiological etiological, gynaecology gynecology
        caecum cecum, faecal fecal, faeces feces, palaeolithic paleolithic
        phaeochromocytoma pheochromocytoma, caesarean cesarean, mediaeval medieval
        naevus nevus, chimaera chimera, leucocyte leukocyte, spirochaete spirochete
        caeruleus coeruleus, leucodystrophy leukodystrophy, caesium cesium
    """,
    "oe": """
        oedema edema, oedematous edematous, papilloedema papilledema
        lymphoedema lymphedema, oesophagus esophagus, oesophageal esophageal
        gastrooesophageal gastroesophageal, oestrogen estrogen, oestradiol estradiol
        oestriol estriol
        oestrus estrus, anoestrus anestrus, dioestrus diestrus, prooestrus proestrus
        antioestrogen antiestrogen, foetus fetus, foetal fetal, foetopathy fetopathy
        diarrhoea diarrhea, dysmenorrhoea dysmenorrhea, amenorrhoeic amenorrheic
        logorrhoea logorrhea, apnoea apnea, apnoeic apneic, dyspnoea dyspnea
        hypopnoea hypopnea, coeliac celiac, homoeostasis homeostasis
        manoeuvre maneuver, manoeuvres maneuvers, manoeuvred maneuvered
        manoeuvring maneuvering, manoeuvrable maneuverable
    """,
    "ise, yse": """
        organisation organization, reorganisations reorganizations, ionise ionize
        recognise recognize, unrecognised unrecognized, recognisable recognizable
        recognisably recognizably, revisualised revisualized
        categorisation categorization, memorise memorize, memorising memorizing
        visualises visualizes, lateralised lateralized, localiser localizer
        synchronisation synchronization, desynchronised desynchronized
        generalisability generalizability, hypothesise hypothesize
        randomised randomized, randomisation randomization, minimise minimize
        hospitalised hospitalized, mentalising mentalizing, criticise criticize
        depolarisation depolarization, sensitisation sensitization, realise realize
        tranquilliser tranquilizer, agonising agonizing, organiser organizer
        organisational organizational, amortised amortized, neutralise neutralize
        metastasised metastasized, jeopardise jeopardize, synthesiser synthesizer
        stigmatisation stigmatization, ionisation ionization, baptised baptized
        empathise empathize, philosophise philosophize, semantised semantized
        analyse analyze, analysed analyzed, reanalysing reanalyzing, analyser analyzer
        paralysed paralyzed, catalyse catalyze, hydrolysed hydrolyzed, dialyse dialyze
        haemolysed hemolyzed, practise practice, practised practiced
    """,
    "ll": """
        labelling labeling, labelled labeled, unlabelled unlabeled
        immunolabelling immunolabeling, modelling modeling, modeller modeler
        signalling signaling, travelling traveling, traveller traveler
        counselling counseling, counsellor counselor, cancelled canceled
        channelled channeled, tunnelling tunneling, fuelled fueled, totalled totaled
        marvellous marvelous, fulfil fulfill, fulfilment fulfillment, enrol enroll
        enrolment enrollment, skilful skillful, wilful willful, distil distill
        instil instill, tranquillity tranquility, jewellery jewelry, levelled leveled
        medallist medalist, dialling dialing, spiralling spiraling
    """,
    "re, ogue, amme, ence": """
        centre center, centres centers, centred centered, centring centering
        multicentre multicenter, epicentre epicenter, fibre fiber, fibres fibers
        fibreoptic fiberoptic, litre liter, millilitres milliliters, metre meter
        millimetre millimeter, theatre theater, titre titer, goitre goiter
        spectre specter, calibre caliber, meagre meager, dioptres diopters
        catalogue catalog, catalogued cataloged, cataloguing cataloging
        analogue analog, homologues homologs, orthologue ortholog
        programme program, programmes programs, kilogramme kilogram
        defence defense, defences defenses, defenceless defenseless
        offence offense, pretence pretense, licence license
    """,
    "other": """
        judgement judgment, judgements judgments, acknowledgement acknowledgment
        ageing aging, grey gray, greyish grayish, greyscale grayscale
        artefact artifact, artefactual artifactual, sceptical skeptical
        scepticism skepticism, mould mold, mouldy moldy, neurone neuron
        neurones neurons, interneurones interneurons, motoneurone motoneuron
        orientated oriented, disorientated disoriented, orientating orienting
        orientate orient, learnt learned, whilst while, amongst among
        focussed focused, biassed biased, connexion connection
        disconnexion disconnection, sulphate sulfate, sulphur sulfur
        enquiry inquiry, plough plow, tyre tire, maths math, aluminium aluminum
        benefitted benefited, likeable likable, whisky whiskey, burnt burned
        hyperalgaesia hyperalgesia
    """,
}
# Words that contain the same groups of letters, but are also American.
KEPT = """
    our four hour tour contour your course source court journal velour paramour
    detour resource pour sour flour scour glamour downpour troubadour
    aerobic anaerobic aerosol aesthetic neuroaesthetics larvae vertebrae algae alumnae
    aegis aeronautics archaeology haemophilus praecox israel michael phaedra
    phoenix poem poet coexist coefficient coenzyme does shoe toes goes oedipal amoeba
    canoe heroes potatoes coeruleus subpoena phytoestrogen xenoestrogen proestrus
    angioedema gastroesophageal neuroendocrine videos echoes homoerotic noetic
    raise praise noise poise cruise bruise disguise exercise postexercise exercises
    exercising enterprise surprise surprised surprising unsurprisingly premise promise
    promising compromise immunocompromised comprise comprising concise precise
    imprecise advise advised inadvisable inadvisability devise revise
    supervised unsupervised
    supervisor televise improvise improvisation improvised advertise advertising
    advertisement merchandise paradise expertise treatise demise despise disease
    franchise circumcised chastise likewise otherwise clockwise stepwise pairwise
    rising arise sunrise wise wiser miser tortoise malaise crises polycrises basis
    analysis analyses paralysis crisis penis pelvises bias biases oasis size seize
    disabled disability neurodisability invisible visible risk list optimism
    genre acre massacre timbre mediocre cadre ogre macabre score core before
    rogue vogue dialogue monologue epilogue vague league prologue
    hammer grammar programmer programmed programming ageism teenage
    fence evidence sentence presence absence science experience adolescence
    control controlled controlling excelled compelled propelled called falling
    smaller cellular pupillary parallel cancellation crystalline satellite
    disc discs kurtosis aseptic shoulder boulder greyhound neural neuronal
    orientation oriented practice analyst catalyst lysed lytic centrencephalic
    fibrosis central sulpiride leucine reflex percent license defense
"""


def _split(pairs):
    return [pair.split() for line in pairs.splitlines() for pair in line.split(",")]


@pytest.mark.parametrize("kind", PAIRS)
def test_british_words_get_american_spelling(kind):
    pairs = [pair for pair in _split(PAIRS[kind]) if pair]
    wrong = {
        british: american_spelling(british)
        for british, american in pairs
        if american_spelling(british) != american
    }
    assert not wrong


def test_american_words_are_kept():
    pairs = [pair for group in PAIRS.values() for pair in _split(group) if pair]
    words = [*KEPT.split(), *(american for _, american in pairs)]
    words += AMERICAN_WORDS.values()
    assert {word for word in words if american_spelling(word) != word} == set()


@pytest.mark.parametrize(
    ("british", "american"),
    [
        ("Tumour TUMOUR tumour", "Tumor TUMOR tumor"),
        ("decision-making behaviour", "decision-making behavior"),
        ("tumour-like, (tumour)_tumour2's", "tumor-like, (tumor)_tumor2's"),
        ("Aetiology of behavioural disorders", "Etiology of behavioral disorders"),
        ("20 per cent, Per\u00a0cent", "20 percent, Percent"),
        ("hæmorrhage, œdema, Fœtal, æsthetic", "hemorrhage, edema, Fetal, æsthetic"),
        ("gastro-oesophageal", "gastro-esophageal"),
        ("x = -46, 5-HT2A; Ångström", "x = -46, 5-HT2A; Ångström"),
        ("", ""),
    ],
)
def test_words_in_text_keep_case_and_punctuation(british, american):
    assert american_spelling(british) == american
    assert american_spelling(american) == american
