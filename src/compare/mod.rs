//! Are two sessions comparable, and how much did each metric change.
