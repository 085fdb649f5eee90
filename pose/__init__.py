"""What a pose is and where it comes from: the skeleton, pose files, detectors, drawn skeletons."""
