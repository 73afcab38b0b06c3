"""What studies share. A change here measures all of them again; a change in a study's own module only that study."""
