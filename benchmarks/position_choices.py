"""Which regions of which atlas belong to each query of a test by position.

A region names an atlas and a label, braces standing for the side. A query lists regions
of both sides unless (L) or (R) stands behind. The choice for a test query follows the
reference beside it, and was fixed before any map of the query was predicted, by someone
who had seen none. `make_position_queries.py` turns this into coordinates.
"""

REGIONS = {
    # Motor and somatosensory
    "hand area, central sulcus": "aicha S_Rolando-3-{}",
    "leg area, paracentral lobule": "aicha G_Paracentral_Lobule-3-{}",
    "mouth area, central sulcus": "aicha S_Rolando-1-{}",
    "rolandic operculum": "aicha G_Rolandic_Oper-2-{}",
    "hand area, BA 4p": "juelich GM_Primary_motor_cortex_BA4p_{}",
    "hand area, BA 3b": "juelich GM_Primary_somatosensory_cortex_BA3b_{}",
    "hand area, BA 1": "juelich GM_Primary_somatosensory_cortex_BA1_{}",
    "OP1": "juelich GM_Secondary_somatosensory_cortex_/_Parietal_operculum_OP1_{}",
    "OP2": "juelich GM_Secondary_somatosensory_cortex_/_Parietal_operculum_OP2_{}",
    "OP3": "juelich GM_Secondary_somatosensory_cortex_/_Parietal_operculum_OP3_{}",
    "OP4": "juelich GM_Secondary_somatosensory_cortex_/_Parietal_operculum_OP4_{}",
    "posterior insula, Ig2": "juelich GM_Insula_Ig2_{}",
    "posterior insula": "aicha G_Insula-posterior-1-{}",
    "supplementary motor area": "harvard_oxford {}_Juxtapositional_Lobule_Cortex_"
    "(formerly_Supplementary_Motor_Cortex)",
    "supplementary motor area, dorsal": "aicha G_Supp_Motor_Area-3-{}",
    "pre-SMA": "aicha G_Supp_Motor_Area-1-{}",
    "frontal eye field": "aicha S_Precentral-2-{}",
    "ventral premotor cortex": "aicha S_Precentral-1-{}",
    # Vision
    "V4": "juelich GM_Visual_cortex_V4_{}",
    "V5": "juelich GM_Visual_cortex_V5_{}",
    "posterior fusiform": "aicha G_Fusiform-6-{}",
    "middle fusiform": "aicha G_Fusiform-4-{}",
    "inferior occipital gyrus": "aicha G_Occipital_Lat-3-{}",
    "lateral occipital area": "aicha G_Occipital_Inf-2-{}",
    "occipitotemporal gyrus": "aicha G_Temporal_Inf-4-{}",
    "parahippocampal place area": "aicha G_ParaHippocampal-5-{}",
    "retrosplenial complex": "aicha S_Parietooccipital-1-{}",
    "occipital place area": "aicha G_Occipital_Mid-4-{}",
    # Temporal
    "TE1.0": "juelich GM_Primary_auditory_cortex_TE1.0_{}",
    "TE1.1": "juelich GM_Primary_auditory_cortex_TE1.1_{}",
    "TE1.2": "juelich GM_Primary_auditory_cortex_TE1.2_{}",
    "planum temporale": "harvard_oxford {}_Planum_Temporale",
    "planum polare": "aicha G_Temporal_Sup-2-{}",
    "anterior superior temporal gyrus": "harvard_oxford "
    "{}_Superior_Temporal_Gyrus_anterior_division",
    "posterior superior temporal gyrus": "harvard_oxford "
    "{}_Superior_Temporal_Gyrus_posterior_division",
    "anterior superior temporal sulcus": "aicha S_Sup_Temporal-2-{}",
    "middle superior temporal sulcus": "aicha S_Sup_Temporal-3-{}",
    "posterior superior temporal sulcus": "aicha S_Sup_Temporal-4-{}",
    "temporoparietal junction": "aicha S_Sup_Temporal-5-{}",
    "posterior middle temporal gyrus": "aicha G_Temporal_Mid-4-{}",
    "hippocampal body": "juelich GM_Hippocampus_dentate_gyrus_{}",
    "hippocampal tail": "aicha G_Hippocampus-2-{}",
    "amygdala": "harvard_oxford {}_Amygdala",
    # Parietal
    "hIP1": "juelich GM_Anterior_intra-parietal_sulcus_hIP1_{}",
    "hIP2": "juelich GM_Anterior_intra-parietal_sulcus_hIP2_{}",
    "hIP3": "juelich GM_Anterior_intra-parietal_sulcus_hIP3_{}",
    "posterior intraparietal sulcus": "aicha S_Intraparietal-3-{}",
    "anterior intraparietal sulcus": "aicha S_Intraparietal-1-{}",
    "PFt": "juelich GM_Inferior_parietal_lobule_PFt_{}",
    "PFcm": "juelich GM_Inferior_parietal_lobule_PFcm_{}",
    "supramarginal gyrus": "aicha G_Supramarginal-4-{}",
    "7A": "juelich GM_Superior_parietal_lobule_7A_{}",
    "7PC": "juelich GM_Superior_parietal_lobule_7PC_{}",
    "angular gyrus": "aicha G_Angular-2-{}",
    "ventral angular gyrus": "aicha G_Angular-3-{}",
    "posterior cingulate": "aicha G_Precuneus-3-{}",
    "ventral posterior cingulate": "aicha G_Precuneus-2-{}",
    "retrosplenial precuneus": "aicha G_Precuneus-1-{}",
    # Frontal, insula, subcortical
    "BA 44": "juelich GM_Broca's_area_BA44_{}",
    "BA 45": "juelich GM_Broca's_area_BA45_{}",
    "inferior frontal junction": "aicha S_Inf_Frontal-2-{}",
    "anterior insula": "aicha G_Insula-anterior-3-{}",
    "dorsal anterior cingulate": "aicha S_Cingulate-1-{}",
    "anterior midcingulate": "aicha S_Cingulate-2-{}",
    "pregenual cingulate": "aicha G_Cingulum_Ant-1-{}",
    "anteromedial prefrontal": "aicha G_Frontal_Sup_Medial-1-{}",
    "dorsomedial prefrontal": "aicha G_Frontal_Sup_Medial-2-{}",
    "ventromedial prefrontal": "aicha S_Anterior_Rostral-1-{}",
    "medial orbitofrontal": "aicha G_Frontal_Med_Orb-2-{}",
    "accumbens": "harvard_oxford {}_Accumbens",
    "ventral caudate": "aicha N_Caudate-3-{}",
    "anterior putamen": "aicha N_Putamen-2-{}",
    "thalamus": "aicha N_Thalamus-5-{}",
}

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
# Reference and regions.
FRESH = {
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
# Looked at while the model was made. Large regions of AAL, chosen then.
DEVELOPMENT = {
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

REGIONS |= {
    name: f"aal {name}_{{}}" for names in DEVELOPMENT.values() for name in names
}
# Where studies of almost anything report peaks, and so a mean map is strongest.
HUBS = [
    "pre-SMA",
    "anterior midcingulate",
    "anterior insula",
    "inferior frontal junction",
    "hIP3",
    "thalamus",
]
