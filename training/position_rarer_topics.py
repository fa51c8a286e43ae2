"""More development queries of maps' positions: a former test of rarer topics.

They tested the model after those of `position_looked_at.py` had. Lesions, clinical
groups, illusions, debated functions and tasks of few studies are among them. Their maps
have been looked at, so they test nothing any more. Regions are named as in
`position_choices.py` and were fixed before.
"""

# Reference and regions.
RARER_TOPICS = {
    # Motor, touch and body
    "motor evoked potentials by transcranial magnetic stimulation": (
        "Barker 1985 Lancet",
        "hand area, central sulcus; hand area, BA 4p",
    ),
    "motor recovery of the arm after stroke": (
        "Rehme 2012 NeuroImage",
        "hand area, central sulcus; dorsal premotor cortex; supplementary motor area",
    ),
    "amyotrophic lateral sclerosis": (
        "Bede 2013 J Neurol Neurosurg Psychiatry",
        "hand area, central sulcus; leg area, paracentral lobule; "
        "mouth area, central sulcus",
    ),
    "bimanual coordination": (
        "Swinnen 2002 Nat Rev Neurosci",
        "supplementary motor area; hand area, central sulcus; "
        "cerebellar lobules IV and V",
    ),
    "visually guided grasping of objects": (
        "Culham 2003 Exp Brain Res",
        "anterior intraparietal sulcus; hIP2; 7PC; ventral premotor cortex",
    ),
    "motor imagery": (
        "Hétu 2013 Neurosci Biobehav Rev",
        "supplementary motor area; supplementary motor area, dorsal; "
        "dorsal premotor cortex; ventral premotor cortex",
    ),
    "handwriting": (
        "Planton 2013 Cortex",
        "dorsal premotor cortex (L); 7PC (L); hand area, central sulcus (L); "
        "cerebellar lobules IV and V (R); cerebellar lobule VI (R)",
    ),
    "voluntary control of breathing": (
        "McKay 2003 J Appl Physiol",
        "trunk area, central sulcus; supplementary motor area",
    ),
    "illusory arm movement from tendon vibration": (
        "Naito 2005 J Neurophysiol",
        "hand area, central sulcus; hand area, BA 4p; hand area, BA 2; "
        "supplementary motor area",
    ),
    "slow gentle stroking of the skin": (
        "Morrison 2016 Human Brain Mapping",
        "posterior insula; posterior insula, Ig2; OP1",
    ),
    "haptic recognition of objects": (
        "Amedi 2001 Nat Neurosci",
        "lateral occipital area; hand area, BA 2",
    ),
    "rubber hand illusion": (
        "Ehrsson 2004 Science",
        "ventral premotor cortex; anterior intraparietal sulcus",
    ),
    # Vision
    "orientation of visual gratings": (
        "Kamitani 2005 Nat Neurosci",
        "calcarine cortex; calcarine cortex, pole; V3v",
    ),
    "binocular disparity and stereoscopic depth": (
        "Tsao 2003 Neuron",
        "V3A; intraoccipital sulcus",
    ),
    "optic flow during self-motion": (
        "Cardin 2010 Cereb Cortex",
        "V5; V6; cingulate sulcus visual area",
    ),
    "pictures of human bodies and body parts": (
        "Downing 2001 Science",
        "extrastriate body area; middle fusiform",
    ),
    "illusory contours of Kanizsa figures": (
        "Mendola 1999 J Neurosci",
        "V3A; lateral occipital area; inferior occipital gyrus",
    ),
    "Braille reading in blind people": (
        "Sadato 1996 Nature",
        "calcarine cortex; calcarine cortex, pole; V4; lateral occipital area",
    ),
    "knowledge about animals and tools": (
        "Chao 1999 Nat Neurosci",
        "middle fusiform; medial fusiform; posterior middle temporal gyrus; "
        "posterior superior temporal sulcus",
    ),
    "pictures of food": (
        "van der Laan 2011 NeuroImage",
        "posterior fusiform; central orbitofrontal (L); middle insula (L)",
    ),
    # Hearing
    "localizing sounds in space": (
        "Arnott 2004 NeuroImage",
        "planum temporale; PFcm; dorsal premotor cortex",
    ),
    "deviant sounds and mismatch negativity": (
        "Opitz 2002 NeuroImage",
        "TE1.0; planum temporale; posterior superior temporal gyrus; BA 44 (R)",
    ),
    "hearing with a cochlear implant": (
        "Giraud 2001 Neuron",
        "TE1.0; TE1.1; planum temporale; posterior superior temporal gyrus",
    ),
    "musical rhythm and beat": (
        "Grahn 2007 J Cogn Neurosci",
        "anterior putamen; supplementary motor area; "
        "supplementary motor area, dorsal; dorsal premotor cortex; "
        "posterior superior temporal gyrus",
    ),
    "audiovisual integration of speech and lip movements": (
        "Calvert 2000 Curr Biol",
        "posterior superior temporal sulcus; posterior superior temporal gyrus",
    ),
    "auditory verbal hallucinations": (
        "Jardri 2011 Am J Psychiatry",
        "BA 44; middle superior temporal sulcus (L); "
        "posterior superior temporal gyrus (L); supramarginal gyrus (L); "
        "hippocampal body (L)",
    ),
    # Language
    "reading difficulties in dyslexia": (
        "Richlan 2009 Human Brain Mapping",
        "occipitotemporal gyrus (L); middle fusiform (L); supramarginal gyrus (L); "
        "posterior superior temporal gyrus (L); BA 44 (L)",
    ),
    "developmental stuttering": (
        "Brown 2005 Human Brain Mapping",
        "mouth area, central sulcus; rolandic operculum; supplementary motor area",
    ),
    "verbal fluency": (
        "Wagner 2014 BMC Neurosci",
        "BA 44 (L); BA 45 (L); inferior frontal junction (L)",
    ),
    "comprehension of stories": (
        "Ferstl 2008 Human Brain Mapping",
        "anterior superior temporal sulcus; temporal pole, dorsal; "
        "posterior superior temporal sulcus; temporoparietal junction; "
        "dorsomedial prefrontal",
    ),
    "understanding metaphors": (
        "Bohrn 2012 Neuropsychologia",
        "BA 45 (L); middle superior temporal sulcus (L); dorsomedial prefrontal (L)",
    ),
    "semantic dementia": (
        "Mummery 2000 Ann Neurol",
        "temporal pole; temporal pole, dorsal; anterior inferior temporal gyrus; "
        "anterior fusiform",
    ),
    "sign language in deaf people": (
        "MacSweeney 2008 Trends Cogn Sci",
        "BA 44 (L); BA 45 (L); posterior superior temporal sulcus; "
        "posterior superior temporal gyrus; V5",
    ),
    "subvocal rehearsal of letters": (
        "Paulesu 1993 Nature",
        "BA 44 (L); supramarginal gyrus (L); PFcm (L)",
    ),
    # Memory
    "old-new recognition of studied items": (
        "Spaniol 2009 Neuropsychologia",
        "anterior angular gyrus; angular gyrus; posterior precuneus; "
        "posterior cingulate",
    ),
    "pattern separation": ("Bakker 2008 Science", "hippocampal body; hippocampal tail"),
    "atrophy in mild cognitive impairment": (
        "Ferreira 2011 Neurobiol Aging",
        "hippocampal body; entorhinal cortex; amygdala",
    ),
    "imagining future events": (
        "Benoit 2015 Neuropsychologia",
        "ventromedial prefrontal; posterior cingulate; ventral posterior cingulate; "
        "retrosplenial precuneus; ventral angular gyrus (L); hippocampal body; "
        "parahippocampal place area",
    ),
    "enhanced memory for emotional events": (
        "Murty 2010 Neuropsychologia",
        "amygdala; hippocampal body",
    ),
    # Emotion, body states and reward
    "extinction of conditioned fear": (
        "Phelps 2004 Neuron",
        "amygdala; ventromedial prefrontal; medial orbitofrontal; subgenual cingulate",
    ),
    "sad mood in depression": (
        "Mayberg 1999 Am J Psychiatry",
        "subgenual cingulate; ventral anterior insula",
    ),
    "reappraisal of negative emotions": (
        "Buhle 2014 Cereb Cortex",
        "lateral orbitofrontal; posterior dorsolateral prefrontal; "
        "anterior angular gyrus; middle superior temporal sulcus (L)",
    ),
    "heart rate variability": (
        "Thayer 2012 Neurosci Biobehav Rev",
        "amygdala; ventromedial prefrontal; pregenual cingulate",
    ),
    "counting one's own heartbeats": (
        "Critchley 2004 Nat Neurosci",
        "anterior insula (R); frontal operculum (R)",
    ),
    "attractiveness of faces": (
        "Bzdok 2011 Brain Struct Funct",
        "amygdala; accumbens; ventromedial prefrontal; medial orbitofrontal",
    ),
    "craving for cigarettes and cocaine": (
        "Chase 2011 Biol Psychiatry",
        "accumbens; amygdala; pregenual cingulate; ventromedial prefrontal",
    ),
    "obsessive-compulsive disorder": (
        "Menzies 2008 Neurosci Biobehav Rev",
        "central orbitofrontal; ventral caudate; dorsal caudate; anterior putamen",
    ),
    # Attention, executive and social
    "spatial neglect after stroke": (
        "Mort 2003 Brain",
        "temporoparietal junction (R); supramarginal gyrus (R); "
        "anterior angular gyrus (R); posterior superior temporal gyrus (R)",
    ),
    "Tower of London": (
        "Nitschke 2017 Human Brain Mapping",
        "mid-dorsolateral prefrontal; anterior dorsolateral prefrontal; "
        "dorsal precuneus; frontal eye field; 7A",
    ),
    "analogical reasoning": (
        "Hobeika 2016 Human Brain Mapping",
        "rostrolateral prefrontal (L); anterior inferior frontal sulcus (L)",
    ),
    "capacity of visual short-term memory": (
        "Todd 2004 Nature",
        "posterior intraparietal sulcus; intraoccipital sulcus",
    ),
    "remembering locations over a delay": (
        "Courtney 1998 Science",
        "dorsal premotor cortex; 7A; posterior intraparietal sulcus",
    ),
    "averted gaze and eye contact": (
        "Hoffman 2000 Nat Neurosci",
        "posterior superior temporal sulcus; posterior middle temporal gyrus",
    ),
    "famous people and their names": (
        "Gobbini 2007 Neuropsychologia",
        "temporal pole; temporal pole, dorsal; anterior middle temporal gyrus; "
        "temporoparietal junction; posterior cingulate",
    ),
    "empathy for others in pain": (
        "Lamm 2011 NeuroImage",
        "anterior insula; anterior midcingulate",
    ),
    # Subcortical and cerebellar
    "learning categories from feedback": (
        "Poldrack 2001 Nature",
        "dorsal caudate; ventral caudate; anterior putamen",
    ),
    "Parkinson's disease motor symptoms": ("Herz 2021 Mov Disord", "posterior putamen"),
    "Huntington's disease": (
        "Dogan 2013 Neurodegener Dis",
        "dorsal caudate; ventral caudate; anterior putamen; posterior putamen",
    ),
    "sleep spindles": ("Schabus 2007 PNAS", "thalamus"),
    "visuomotor adaptation": (
        "Imamizu 2000 Nature",
        "cerebellar lobule VI; cerebellar crus I",
    ),
    "spinocerebellar ataxia": (
        "Reetz 2013 Brain",
        "cerebellar lobules IV and V; cerebellar lobule VI; "
        "cerebellar lobule VIII; cerebellar crus I",
    ),
}
