"""What the files of particles mean: from any format to centres, micrographs, scores."""
