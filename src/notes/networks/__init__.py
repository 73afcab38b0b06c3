"""The networks: by hand, a single neuron, the multi-layer perceptron, each with its loop; and their model files."""
