"""The part of the pipeline that most tests here run."""

TARGET = "export_model@linear"
# What the target needs, itself included.
STAGES = {
    "check_params",
    "generate_synthetic",
    "train_regression@linear-scratch",
    "train_regression@linear-module",
    "train_baseline@linear_least_squares",
    "train_baseline@linear_dummy",
    "evaluate@linear",
    "export_model@linear",
}
