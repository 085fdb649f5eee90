"""Pose forecasting on Penn Action by the published protocol: the table that Chao et al. and TP-RNN report."""
