"""The adversary laboratory: honest and scripted members through the real rules, judged against rules §13."""
