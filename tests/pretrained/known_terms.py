"""Terms of the small model, and in how many studies each is."""

TERMS = {"finger": 40, "motor grip": 7, "pain": 30, "heat": 12, "faces": 25, "a": 1}
