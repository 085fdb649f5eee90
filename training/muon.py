"""Muon: an optimizer for the inner weights of a network, whose steps are momentum with all singular values set to 1.

    m <- mu m + (1 - mu) g,   o = orthogonalise((1 - mu) g + mu m),   w <- w - lr 0.2 sqrt(max(rows, columns)) o

(Jordan et al., Muon: An optimizer for hidden layers in neural networks, 2024; the factor makes the root mean square of a step
that of Adam's, so that both take one learning rate: Liu et al., Muon is Scalable for LLM Training, 2025.)
A convolution (outputs, inputs, height, width) counts as the matrix (outputs, inputs * height * width).
"""
import torch

# Newton-Schulz: x <- a x + b (x x^T) x + c (x x^T)^2 x brings singular values between 0 and 1 to 0.7..1.2 in five rounds
COEFFICIENTS, ROUNDS = (3.4445, -4.7750, 2.0315), 5
STEP = 0.2                             # root mean square of a step at learning rate 1


def orthogonalise(matrix, dtype=torch.bfloat16):
    """Matrix (n, m) -> matrix (n, m) with the same singular vectors and singular values near 1; 0 stays 0."""
    a, b, c = COEFFICIENTS
    flat = len(matrix) <= matrix.shape[1]
    x = (matrix if flat else matrix.T).to(dtype)
    x = x / (x.norm() + 1e-7)
    for _ in range(ROUNDS):
        square = x @ x.T                                                              # (n, n), n the shorter side
        x = a * x + (b * square + c * square @ square) @ x
    return (x if flat else x.T).to(matrix.dtype)


class Muon(torch.optim.Optimizer):
    """Trains matrices and convolutions; first and last layers, norms, biases and embeddings are left to Adam."""

    def __init__(self, params, lr=1e-3, momentum=0.95):
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if not state:
                    state["momentum"] = torch.zeros_like(weight)
                mean = state["momentum"].lerp_(weight.grad, 1 - group["momentum"])
                step = orthogonalise(weight.grad.lerp(mean, group["momentum"]).flatten(1))
                weight.add_(step.view(weight.shape), alpha=-group["lr"] * STEP * max(step.shape) ** 0.5)
