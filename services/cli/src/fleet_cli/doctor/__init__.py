"""`fleet doctor`: what is needed to ask and to answer, looked at piece by piece, changing nothing."""
