"""Scripts by which Slurm runs a job, stage by stage."""
