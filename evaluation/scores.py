"""All scores of sampled motions, gathered a few rows at a time, so that memory does not grow with samples and steps."""
import torch

from evaluation.metrics import pose_curves, pose_metrics, summarise
from evaluation.motion import acceleration, bone_drift, calibration_error, rank_counts
from evaluation.recognition import frechet_distance

RECOGNISED = 4            # samples a row that the classifier looks at


class MotionScores:
    """Scores of rows as they come.

    Args:
        classifier: :class:`evaluation.recognition.MotionClassifier` of as many steps, or None.
    """

    def __init__(self, classifier=None):
        self.classifier = classifier
        self._values, self._ratios, self._curves, self._ranks, self._features = [], [], [], 0, []

    def add(self, samples, truth, source, action):
        """Samples (B, K, T, J, 2), truth (B, T, J, 2), source (B, J, 2), action ids (B,) of B rows more."""
        start = source[:, None].expand(-1, samples.shape[1], -1, -1)                 # (B, K, J, 2)
        self._values.append({**pose_metrics(samples, truth, source), "acceleration": acceleration(samples, start).mean(1),
                             "acceleration_true": acceleration(truth, source)})
        ratios = {"bone_drift": bone_drift(samples, start).mean(1), "bone_drift_true": bone_drift(truth, source)}
        self._curves.append(pose_curves(samples, truth, source))
        self._ranks = self._ranks + rank_counts(samples, truth)
        if self.classifier is not None:
            few = min(RECOGNISED, samples.shape[1])
            path = torch.cat([start[:, :few, None], samples[:, :few]], 2).flatten(0, 1)                # (B few, T + 1, J, 2)
            true_path = torch.cat([source[:, None], truth], 1)
            named = self.classifier(path).argmax(-1).view(-1, few)                   # (B, few)
            ratios["recognised"] = (named == action[:, None]).float().mean(1)
            ratios["recognised_true"] = (self.classifier(true_path).argmax(-1) == action).float()
            self._features.append((self.classifier.features(path[::few]), self.classifier.features(true_path)))
        self._ratios.append(ratios)

    @property
    def values(self):
        """Scores in units of length, name -> (N,), normalised."""
        return _joined(self._values)

    def summary(self, action, names, scales):
        """What `metrics.json` holds of them.

        Args:
            action, names, scales: as of :func:`evaluation.metrics.summarise`.
        Returns:
            `overall` and `actions`, groups with means in each unit, `ratios` without a unit, and the `curve` of each unit, a
            list over steps a score; `calibration`; with a classifier `recognition`.
        """
        found = summarise(self.values, action, names, scales)
        ratios, curves = summarise(_joined(self._ratios), action, names, {"ratios": 1.0}), _joined(self._curves)
        found["overall"] |= {"ratios": ratios["overall"]["ratios"], "curve": _curve(curves, slice(None), scales)}
        for name, group in found["actions"].items():
            group |= {"ratios": ratios["actions"][name]["ratios"],
                      "curve": _curve(curves, action == list(names).index(name), scales)}
        found["calibration"] = {"error": calibration_error(self._ranks),
                                "rank_histogram": (self._ranks / self._ranks.sum()).tolist()}
        if self.classifier is not None:
            features = [torch.cat(part) for part in zip(*self._features)]
            found["recognition"] = {name: ratios["overall"]["ratios"][name] for name in ("recognised", "recognised_true")}
            if len(action) > features[0].shape[1]:           # of fewer rows than features covariances say nothing
                found["recognition"]["frechet_distance"] = frechet_distance(*features)
        return found


def _joined(parts):
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def _curve(curves, rows, scales):
    return {unit: {name: (value[rows].double().mean(0) * scale).tolist() for name, value in curves.items()}
            for unit, scale in scales.items()}
