//! The verbs: one file a verb; each reads as a list of steps.
