"""British spellings and their American forms, as lists of words and as rules.

`american_spelling` in `validation.py` applies these lists and rules. All words and
patterns are in lower case.
"""

import re

# Each British word is followed by its American form.
_WORDS = """
aeroplane airplane        aeroplanes airplanes     aluminium aluminum
amongst among             biassed biased           caesium cesium
caeruleus coeruleus       calliper caliper         callipers calipers
centring centering        chequered checkered      cheque check
cheques checks            chilli chili             cosy cozy
dreamt dreamed            draught draft            draughts drafts
enrol enroll              enrols enrolls           enrolment enrollment
enrolments enrollments    cognisant cognizant      journalling journaling
fulfil fulfill            fulfils fulfills         fulfilment fulfillment
gaol jail                 haem heme                haems hemes
hyaena hyena              hyaenas hyenas           instalment installment
instalments installments  instil instill           instils instills
distil distill            distils distills         jewellery jewelry
kerb curb                 kerbs curbs              leant leaned
learnt learned            relearnt relearned       unlearnt unlearned
overlearnt overlearned    libellous libelous       maths math
marvellous marvelous      marvellously marvelously mitre miter
mollusc mollusk           molluscs mollusks        moustache mustache
moustaches mustaches      naevi nevi               naevus nevus
nitre niter               omelette omelet          omelettes omelets
phoney phony              pyjama pajama            pyjamas pajamas
sizeable sizable          skilful skillful         skilfully skillfully
speciality specialty      specialities specialties spelt spelled
misspelt misspelled       spilt spilled            spoilt spoiled
storey story              storeys stories          tranquillity tranquility
tyre tire                 tyres tires              unbiassed unbiased
whilst while              wilful willful           wilfully willfully
woollen woolen            yoghurt yogurt           yoghurts yogurts
benefitted benefited      benefitting benefiting   whisky whiskey
likeable likable          unlikeable unlikable     likeability likability
burnt burned              leapt leaped             cosiness coziness
"""
AMERICAN_WORDS = dict(re.findall(r"(\w+) (\w+)", _WORDS))
# Words that the rules below must not change.
KEPT_WORDS = re.compile(
    "annelise|chemises?|clitorises|epidermises|faecalis|faecium|gonorrhoeae|haggises|"
    "haemophilus|mantises|metropolises|mortis(e|ed|es|ing)|necropolises|pelvises|"
    "proboscises|(high|low|moon|sun)ris(e|es|er|ers|ing)|trellis(es|ed)"
)
# Stems of words in -ise that have no American form in -ize, because "ise" is not a
# suffix in them ("exercise", "surprise"). The stem may follow other letters
# ("postexercise").
_ISE_STEMS = (
    "advert|adv|chast|circumc|comprom|conc|cr|desp|dev|exc|exerc|exorc|expert|franch|"
    "improv|inc|merchand|parad|pr|pract|prec|prem|prom|rev|superv|surm|telev|treat|upr|"
    "w"
)
_ISE_ENDINGS = "(e|ed|er|ers|es|ing|ingly|able|ably|ability|ements?)$"
# Verbs whose last letter is doubled in British spelling ("labelled").
_L_VERBS = (
    "apparel|barrel|bevel|cancel|carol|channel|chisel|council|counsel|cudgel|devil|"
    "dial|dishevel|drivel|duel|enamel|equal|fuel|funnel|gambol|gravel|grovel|gruel|"
    "initial|jewel|kennel|label|level|libel|marshal|marvel|medal|model|panel|parallel|"
    "parcel|partial|pedal|pencil|pixel|pummel|quarrel|ravel|revel|rival|shovel|shrivel|signal|"
    "snivel|snorkel|spiral|squirrel|stencil|swivel|symbol|tassel|total|travel|trial|"
    "trowel|tunnel|weasel|yodel"
)
# Patterns and their replacements. All of them are applied to each word, in this order.
_REPLACEMENTS = {
    # -our: tumour, behavioural, discoloured, neighbourhood.
    r"(behavi|col|demean|endeav|fav|flav|hon|hum|lab|neighb|od|rum|savi?|splend|tum|vap|"
    r"vig)our(?!oux)": r"\1or",
    r"^(un|dis)?(arb|ard|arm|cand|clam|enam|ferv|harb|parl|ranc|rig|succ|val)our": (
        r"\1\2or"
    ),
    # ae: haemorrhage, anaemia, paediatric, anaesthetic. The word "aesthetic" is kept.
    r"(?<!g)haem(?!m)": "hem",
    r"(?<=leuk|leuc)aem|aem(?=i[ac])": "em",
    r"paed": "ped",
    r"aesthesi": "esthesi",
    r"algaesi": "algesi",
    r"(an|dys|hyp|hyper|kin|par|syn)aesthe": r"\1esthe",
    r"aetio(?=log|path)": "etio",
    r"gynaec": "gynec",
    r"caec(?=al|um|os)": "cec",
    r"^faec(?=al|es)": "fec",
    r"palae": "pale",
    r"phaeoc": "pheoc",
    r"caerulop": "cerulop",
    r"^caesar[ei]an": "cesarean",
    r"(?<=medi|prim)aeval": "eval",
    r"chimaer": "chimer",
    r"spirochaet": "spirochet",
    # oe: foetal, oestrogen, diarrhoea. In American words such as "angioedema" and
    # "phytoestrogen", the "o" belongs to the first part of the word and is kept.
    r"foet": "fet",
    r"^oe(?=str[oiu]|strad|soph|dem)": "e",
    r"ooe(?=str|soph|dem)": "oe",
    r"^(an|anti|di|met|non)oestr": r"\1estr",
    r"^(para|peri|trans)oesoph": r"\1esoph",
    r"^(cephal|lymph|myx|papill)oedem": r"\1edem",
    r"rrhoe": "rrhe",
    r"pnoe(?=a|ic)": "pne",
    r"coeli(?=a|o)": "celi",
    r"homoeo": "homeo",
    r"pharmacopoei": "pharmacopei",
    r"manoeuvred": "maneuvered",
    r"manoeuvre?": "maneuver",
    # -yse: analyse, paralysed. "Analyses" is also a noun and is kept.
    r"(anal|autol|catal|dial|electrol|hemol|hydrol|paral|photol|proteol|pyrol)ys"
    r"(?=(e|ed|ers?|ing|able)$)": r"\1yz",
    # -ise: generalised, organisation. A vowel never precedes this suffix ("noise",
    # "raise"), and the stem of most verbs has at least four letters ("advise").
    r"tranquillis": "tranquilis",
    r"practis(?=e|ing)": "practic",
    rf"^(?!.*(disab|({_ISE_STEMS})is{_ISE_ENDINGS}))"
    rf"(?P<stem>.{{3,}}[^aeiou]|ion|iod)is(?={_ISE_ENDINGS})": r"\g<stem>iz",
    r"^(?!.*improvis)(.{2,}[^aeiou])is(?=ation)": r"\1iz",
    # Doubled l: labelled, modelling, counsellor.
    rf"({_L_VERBS})l(?=(ed|ings?|[eo]rs?|able|ists?)$)": r"\1",
    # -re: centre, fibre, millilitre, theatre.
    r"(cent|fib)re(?=d)": r"\1ere",
    r"centre(?=$|s$|[bfp]|line)": "center",
    r"fibre": "fiber",
    r"(theat|calib|diopt|goit|lust|meag|reconnoit|scept|sepulch|somb|spect|^sab|^tit|"
    r"lit|met)re(?=s?$)": r"\1er",
    # -ogue, -amme, -ence: catalogue, programme, defence.
    r"(anal|catal|homol|orthol|paral)ogue(?=s?$)": r"\1og",
    r"catalogu(?=ed|er|ing)": "catalog",
    r"gramme(?=s?$)": "gram",
    r"(def|off|pret)ence(?=s?$|less)": r"\1ense",
    r"licenc": "licens",
    # Other words and their derived forms.
    r"^((anti|non)?)ageing": r"\1aging",
    r"artefact": "artifact",
    r"(conn|infl|refl)exion": r"\1ection",
    r"dgement": "dgment",
    r"^enquir": "inquir",
    r"focuss(?=e|ing)": "focus",
    r"^grey(?![hl])": "gray",
    r"leuco(?=arai|crit|cyt|dystr|enc|mal|pen|plak|tom)": "leuko",
    r"^((re|un)?)mould(?!er)": r"\1mold",
    r"^moult(?=$|s$|ed|ing)": "molt",
    r"neurone(?=s?$)": "neuron",
    r"orientat(e(?=s?$)|(?=(ed|ing)$))": "orient",
    r"^plough": "plow",
    r"^sceptic": "skeptic",
    r"^smoulder": "smolder",
    r"sulph": "sulf",
}
AMERICAN_RULES = tuple(
    zip(map(re.compile, _REPLACEMENTS), _REPLACEMENTS.values(), strict=True)
)
