"""Beginning with the tool: what an existing DVC repository needs (`init`), and a small new one (`new`)."""
