"""Commands that nothing else imports: benchmarks, the ablation, forecasts, comparisons, the measurement of a detector."""
import utils.threads  # noqa: F401  before torch is imported
