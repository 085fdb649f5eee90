"""Commands that nothing else imports: benchmarks, the ablation, forecasts, comparisons, the measurement of a detector."""
import utils.errors  # noqa: F401  first: Ctrl-C is one line while the others import
