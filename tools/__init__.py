"""Commands that nothing else imports: the benchmark and the ablation."""
