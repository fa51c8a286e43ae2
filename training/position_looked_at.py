"""The development queries of maps' positions: looked at while the model was made.

What they ask for may guide choices, so they test nothing. Queries of the first test
ended here once their maps had been looked at, with the regions fixed before; those of
the second are in `position_rarer_topics.py`. Regions are named as in
`position_choices.py`.
"""

# Reference and regions. Queries of the test until their maps were looked at; chosen
# before, as `position_choices.py` says.
FORMER_TEST = {
    "force of hand grip": (
        "Ehrsson 2000 J Neurophysiol",
        "hand area, central sulcus; hand area, BA 4p",
    ),
    "leg movements during walking": (
        "la Fougère 2010 NeuroImage",
        "leg area, paracentral lobule",
    ),
    "overt articulation of syllables": (
        "Guenther 2006 Brain Lang",
        "mouth area, central sulcus; rolandic operculum",
    ),
    "perception of moving dots": (
        "Zeki 1991 J Neurosci",
        "V5",
    ),
    "color vision": (
        "Zeki 1991 J Neurosci",
        "V4; posterior fusiform",
    ),
    "viewing scenes and houses": (
        "Epstein 1998 Nature",
        "parahippocampal place area; retrosplenial complex; occipital place area",
    ),
    "visual object recognition": (
        "Malach 1995 PNAS",
        "lateral occipital area; middle fusiform; posterior fusiform",
    ),
    "biological motion": (
        "Grosbras 2012 Human Brain Mapping",
        "posterior superior temporal sulcus; posterior middle temporal gyrus; V5",
    ),
    "letter strings and visual word form": (
        "Cohen 2000 Brain",
        "middle fusiform (L); occipitotemporal gyrus (L); lateral occipital area (L)",
    ),
    "listening to music": (
        "Koelsch 2011 Front Psychol",
        "TE1.0; TE1.1; TE1.2; planum temporale; planum polare",
    ),
    "human vocalizations such as laughter and crying": (
        "Belin 2000 Nature",
        "TE1.0; TE1.2; anterior superior temporal gyrus; "
        "posterior superior temporal gyrus; middle superior temporal sulcus",
    ),
    "syntactically complex sentences": (
        "Hagoort 2014 Annu Rev Neurosci",
        "BA 44 (L); BA 45 (L); anterior superior temporal sulcus (L); "
        "middle superior temporal sulcus (L); "
        "posterior superior temporal sulcus (L)",
    ),
    "autobiographical memory": (
        "Svoboda 2006 Neuropsychologia",
        "posterior cingulate; ventral posterior cingulate; "
        "retrosplenial precuneus; temporoparietal junction (L); "
        "ventral angular gyrus (L); anteromedial prefrontal; "
        "ventromedial prefrontal; hippocampal body; hippocampal tail",
    ),
    "unpleasant pictures": (
        "Sabatinelli 2011 NeuroImage",
        "amygdala; lateral occipital area; middle fusiform",
    ),
    "reward prediction error": (
        "Garrison 2013 Neurosci Biobehav Rev",
        "accumbens; ventral caudate; anterior putamen",
    ),
    "subjective value of choice options": (
        "Bartra 2013 NeuroImage",
        "ventromedial prefrontal; medial orbitofrontal; pregenual cingulate; accumbens",
    ),
    "noxious laser stimulation": (
        "Segerdahl 2015 Nat Neurosci",
        "OP1; OP2; OP3; posterior insula, Ig2; posterior insula",
    ),
    "vibrotactile stimulation of the fingers": (
        "Francis 2000 NeuroImage",
        "hand area, BA 1; hand area, BA 3b; OP1; OP4",
    ),
    "vestibular stimulation": (
        "zu Eulenburg 2012 NeuroImage",
        "OP2; posterior insula, Ig2; posterior insula; PFcm",
    ),
    "visual search for a target among distractors": (
        "Corbetta 2002 Nat Rev Neurosci",
        "7A; hIP3; posterior intraparietal sulcus; frontal eye field",
    ),
    "stop-signal task and response inhibition": (
        "Swick 2011 NeuroImage",
        "BA 44 (R); inferior frontal junction (R); anterior insula (R); "
        "supramarginal gyrus (R); pre-SMA",
    ),
    "Stroop interference and conflict monitoring": (
        "Nee 2007 Cogn Affect Behav Neurosci",
        "dorsal anterior cingulate; anterior midcingulate; "
        "inferior frontal junction (L)",
    ),
    "comparing the magnitude of numbers": (
        "Dehaene 2003 Cogn Neuropsychol",
        "hIP1; hIP2; hIP3",
    ),
    "moral judgment": (
        "Bzdok 2012 Brain Struct Funct",
        "anteromedial prefrontal; dorsomedial prefrontal; "
        "ventromedial prefrontal; temporoparietal junction; posterior cingulate; "
        "ventral posterior cingulate",
    ),
    "observing hand actions of others": (
        "Caspers 2010 NeuroImage",
        "V5; posterior middle temporal gyrus; PFt; 7PC; ventral premotor cortex",
    ),
    "judging whether trait adjectives describe oneself": (
        "Northoff 2006 NeuroImage",
        "anteromedial prefrontal; dorsomedial prefrontal; "
        "ventromedial prefrontal; pregenual cingulate; posterior cingulate",
    ),
    "navigation in a virtual environment": (
        "Boccia 2014 Neuropsychol Rev",
        "parahippocampal place area; retrosplenial complex; "
        "retrosplenial precuneus; hippocampal tail",
    ),
    "pantomime of tool use": (
        "Lewis 2006 Neuroscientist",
        "anterior intraparietal sulcus (L); hIP3 (L); PFt (L); "
        "supramarginal gyrus (L); posterior middle temporal gyrus (L); "
        "ventral premotor cortex (L)",
    ),
    "time interval discrimination": (
        "Wiener 2010 NeuroImage",
        "supplementary motor area; supplementary motor area, dorsal; BA 44 (R); "
        "anterior putamen",
    ),
    "task-induced deactivation": (
        "Shulman 1997 J Cogn Neurosci",
        "posterior cingulate; ventral posterior cingulate; "
        "anteromedial prefrontal; ventromedial prefrontal; "
        "temporoparietal junction; angular gyrus; ventral angular gyrus",
    ),
}
# Large regions of AAL, chosen while the model was made.
COARSE = {
    "finger tapping": ["Postcentral"],
    "foot movement": ["Paracentral_Lobule"],
    "tongue movement and swallowing": ["Rolandic_Oper", "Postcentral"],
    "sequential motor planning": ["Supp_Motor_Area"],
    "eye movements and saccades": ["Precentral", "Supp_Motor_Area"],
    "viewing faces": ["Fusiform", "Occipital_Inf"],
    "fearful facial expressions": ["Amygdala"],
    "visual checkerboard stimulation": ["Calcarine", "Lingual"],
    "listening to tones": ["Heschl", "Temporal_Sup"],
    "speech perception": ["Temporal_Sup", "Temporal_Mid"],
    "semantic judgment of words": ["Frontal_Inf_Tri", "Temporal_Mid"],
    "phonological processing": ["Frontal_Inf_Oper"],
    "mental arithmetic": ["Parietal_Inf"],
    "mental rotation": ["Parietal_Sup", "Parietal_Inf"],
    "working memory n-back task": ["Frontal_Mid_2", "Parietal_Inf"],
    "shifting of spatial attention": ["Parietal_Sup", "Parietal_Inf"],
    "monetary reward anticipation": ["Olfactory", "Caudate", "Putamen", "Pallidum"],
    "dopamine in the striatum": ["Caudate", "Putamen", "Pallidum"],
    "painful heat stimulation": ["Insula", "Rolandic_Oper", "Thalamus"],
    "taste of sucrose": ["Insula"],
    "odor perception": ["Olfactory", "Amygdala"],
    "episodic memory encoding": ["Hippocampus"],
    "theory of mind": ["Angular", "Frontal_Sup_Medial", "Temporal_Mid"],
    "self-referential thought": [
        "Frontal_Sup_Medial",
        "Frontal_Med_Orb",
        "Cingulate_Ant",
    ],
    "default mode network at rest": ["Cingulate_Post", "Precuneus", "Angular"],
}
