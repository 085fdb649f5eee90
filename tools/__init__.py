"""Commands that nothing else imports: benchmarks, the ablation, and the measurement of a detector."""
