"""Which regions belong to each query of the test by position.

The fresh queries are what a neuroscientist would try first: textbook functions, tasks
and stimuli for which handbooks, localisers or meta-analyses agree on one region, a pair
of homologues or at most three places, and on which there are many group studies; no
lesions, clinical groups or networks. BrainMap's behavioural domains were gone through
for them, with one to three queries for each that has such a topic. Where two queries
would have asked for the same regions within a domain, one was kept.

A query lists regions of `position_regions.py`, of both sides unless (L) or (R) stands
behind; several labels may cover one place. The choice follows the reference beside it,
and was fixed before any map of the query was predicted, by someone who had seen none.
The topic is "seen" where a development query or a named one asks for the same function
in other words, else "new". Once maps of FRESH have been looked at, its queries belong
among those for development, and others must be written. `make_position_queries.py`
turns this into coordinates.
"""

# Two that the package must show; their maps have been looked at.
NAMED = {
    "finger tapping": (
        "Witt 2008 NeuroImage",
        "hand area, central sulcus; hand area, BA 4p",
    ),
    "viewing faces": (
        "Müller 2018 Cortex",
        "middle fusiform; inferior occipital gyrus",
    ),
}
# Topic, reference and regions.
FRESH = {
    # Action: execution
    "right-hand movements": (
        "seen",
        "Mayka 2006 NeuroImage",
        "hand area, central sulcus (L); hand area, BA 4p (L); "
        "cerebellar lobules IV and V (R)",
    ),
    "reaching to visual targets": (
        "new",
        "Blangero 2009 Neuropsychologia",
        "dorsal premotor cortex; 7A; superior intraparietal sulcus; dorsal precuneus",
    ),
    "ankle dorsiflexion": (
        "seen",
        "Dobkin 2004 NeuroImage",
        "leg area, paracentral lobule",
    ),
    "swallowing water": (
        "seen",
        "Sörös 2009 Human Brain Mapping",
        "mouth area, central sulcus; rolandic operculum; insula",
    ),
    "singing": (
        "new",
        "Brown 2004 Cogn Brain Res",
        "mouth area, central sulcus; rolandic operculum; planum temporale; "
        "posterior superior temporal gyrus",
    ),
    "antisaccade task": (
        "seen",
        "Jamadar 2013 Front Psychol",
        "frontal eye field; supplementary motor area; superior intraparietal sulcus",
    ),
    # Action: imagination, inhibition, learning, observation, preparation
    "Subjects imagined moving their fingers without actually doing so.": (
        "seen",
        "Hardwick 2018 Neurosci Biobehav Rev",
        "supplementary motor area; supplementary motor area, dorsal; "
        "dorsal premotor cortex; anterior intraparietal sulcus",
    ),
    "go/no-go task": (
        "seen",
        "Swick 2011 NeuroImage",
        "anterior insula (R); BA 44 (R); inferior frontal junction (R); pre-SMA",
    ),
    "learning a sequence of finger movements": (
        "seen",
        "Hardwick 2013 NeuroImage",
        "hand area, central sulcus (L); dorsal premotor cortex; "
        "supplementary motor area",
    ),
    "action observation": (
        "seen",
        "Caspers 2010 NeuroImage",
        "V5; posterior middle temporal gyrus; PFt; 7PC; ventral premotor cortex",
    ),
    "imitation of gestures": (
        "new",
        "Caspers 2010 NeuroImage",
        "V5; posterior middle temporal gyrus; PFt; ventral premotor cortex; BA 44",
    ),
    "movement preparation": (
        "seen",
        "Cunnington 2002 NeuroImage",
        "supplementary motor area; supplementary motor area, dorsal; "
        "dorsal premotor cortex",
    ),
    # Cognition: attention
    "Posner cueing task": (
        "seen",
        "Corbetta 2002 Nat Rev Neurosci",
        "frontal eye field; 7A; superior intraparietal sulcus; "
        "posterior intraparietal sulcus",
    ),
    "task switching": (
        "new",
        "Derrfuss 2005 Human Brain Mapping",
        "inferior frontal junction; pre-SMA; hIP1; hIP3",
    ),
    "error processing": (
        "new",
        "Ridderinkhof 2004 Science",
        "dorsal anterior cingulate; anterior midcingulate; anterior insula",
    ),
    # Cognition: language
    "visual word recognition": (
        "seen",
        "Jobard 2003 NeuroImage",
        "middle fusiform (L); occipitotemporal gyrus (L); BA 44 (L)",
    ),
    "Do these two words rhyme?": (
        "seen",
        "Vigneau 2006 NeuroImage",
        "BA 44 (L); ventral premotor cortex (L); inferior frontal junction (L)",
    ),
    "choosing the word that is closest in meaning": (
        "seen",
        "Noonan 2013 J Cogn Neurosci",
        "BA 45 (L); inferior frontal gyrus, triangular (L); lateral orbitofrontal (L); "
        "temporooccipital middle temporal gyrus (L); "
        "middle superior temporal sulcus (L)",
    ),
    "listening to speech": (
        "seen",
        "Price 2012 NeuroImage",
        "TE1.2; anterior superior temporal gyrus; posterior superior temporal gyrus; "
        "middle superior temporal sulcus",
    ),
    "picture naming": (
        "new",
        "Price 2005 Human Brain Mapping",
        "lateral occipital area; middle fusiform; BA 44 (L)",
    ),
    "grammatical structure of sentences": (
        "seen",
        "Walenski 2019 Human Brain Mapping",
        "BA 44 (L); BA 45 (L); middle superior temporal sulcus (L); "
        "posterior superior temporal sulcus (L)",
    ),
    # Cognition: memory
    "learning face-name pairs": (
        "seen",
        "Sperling 2003 NeuroImage",
        "hippocampal head; hippocampal body; middle fusiform",
    ),
    "recollection and familiarity": (
        "seen",
        "Vilberg 2008 Neuropsychologia",
        "anterior angular gyrus (L); angular gyrus (L); posterior cingulate; "
        "ventral posterior cingulate; hippocampal body",
    ),
    "working memory load": (
        "seen",
        "Owen 2005 Human Brain Mapping",
        "inferior frontal junction; pre-SMA; hIP1; hIP3",
    ),
    # Cognition: music, arithmetic, social, space, time
    "melodies and chords": (
        "seen",
        "Koelsch 2011 Front Psychol",
        "TE1.0; TE1.1; TE1.2; planum temporale; planum polare",
    ),
    "adding and subtracting numbers": (
        "seen",
        "Arsalidou 2011 NeuroImage",
        "hIP1; hIP3; inferior frontal junction",
    ),
    "false belief stories": (
        "seen",
        "Schurz 2014 Neurosci Biobehav Rev",
        "temporoparietal junction; dorsomedial prefrontal; posterior cingulate",
    ),
    "trustworthiness of faces": (
        "new",
        "Bzdok 2011 Brain Struct Funct",
        "amygdala",
    ),
    "rotating three-dimensional objects in the mind": (
        "seen",
        "Zacks 2008 J Cogn Neurosci",
        "7A; superior intraparietal sulcus; posterior intraparietal sulcus",
    ),
    "finding the way through a town": (
        "seen",
        "Boccia 2014 Neuropsychol Rev",
        "parahippocampal place area; retrosplenial complex; "
        "retrosplenial precuneus; hippocampal tail",
    ),
    "estimating how many seconds have passed": (
        "seen",
        "Wiener 2010 NeuroImage",
        "supplementary motor area; supplementary motor area, dorsal; BA 44 (R); "
        "frontal operculum (R)",
    ),
    # Emotion
    "emotional face matching task": (
        "seen",
        "Hariri 2002 NeuroImage",
        "amygdala; middle fusiform; inferior occipital gyrus",
    ),
    "disgust": (
        "new",
        "Vytal 2010 J Cogn Neurosci",
        "anterior insula; ventral anterior insula; amygdala",
    ),
    "happy faces": (
        "seen",
        "Fusar-Poli 2009 J Psychiatry Neurosci",
        "amygdala; middle fusiform",
    ),
    "monetary incentive delay": (
        "seen",
        "Oldham 2018 Human Brain Mapping",
        "accumbens; ventral caudate; anterior putamen",
    ),
    # Interoception
    "interoception": (
        "seen",
        "Schulz 2016 Philos Trans R Soc B",
        "anterior insula; insula; posterior insula",
    ),
    # Perception
    "pitch": (
        "seen",
        "Patterson 2002 Neuron",
        "TE1.0; TE1.2; planum temporale",
    ),
    "Volunteers tasted sweet, salty and bitter solutions.": (
        "seen",
        "Veldhuizen 2011 Human Brain Mapping",
        "insula; frontal operculum; anterior rolandic operculum",
    ),
    "smell": (
        "seen",
        "Seubert 2013 NeuroImage",
        "piriform cortex; amygdala; central orbitofrontal",
    ),
    "pain": (
        "seen",
        "Duerden 2013 Human Brain Mapping",
        "OP1; posterior insula, Ig2; anterior insula; anterior midcingulate",
    ),
    "tactile stimulation of the hand": (
        "seen",
        "Francis 2000 NeuroImage",
        "hand area, BA 1; hand area, BA 3b; OP1; OP4",
    ),
    "coloured versus grey patterns": (
        "seen",
        "Zeki 1991 J Neurosci",
        "V4; posterior fusiform",
    ),
    "visual motion": (
        "seen",
        "Tootell 1995 J Neurosci",
        "V5",
    ),
    "intact versus scrambled pictures of objects": (
        "seen",
        "Malach 1995 PNAS",
        "lateral occipital area; middle fusiform; posterior fusiform",
    ),
    "upright and inverted faces": (
        "seen",
        "Yovel 2005 Curr Biol",
        "middle fusiform; inferior occipital gyrus",
    ),
    "photographs of landscapes, buildings and rooms": (
        "seen",
        "Epstein 1998 Nature",
        "parahippocampal place area; retrosplenial complex; occipital place area",
    ),
    "Which area responds when people see bodies without heads?": (
        "seen",
        "Peelen 2005 J Neurophysiol",
        "extrastriate body area; V5; middle fusiform",
    ),
    "flashing lights": (
        "seen",
        "Fox 1984 J Neurophysiol",
        "calcarine cortex; calcarine cortex, pole",
    ),
}
