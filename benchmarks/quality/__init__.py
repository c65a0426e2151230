"""Quality of colorings: photos, measures, statistics, classifier."""
