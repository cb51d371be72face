"""MEASURED and JUDGED: records become figures, figures become verdicts. Pure folds."""
