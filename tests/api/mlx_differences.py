"""Where answers differ from those of MLX on purpose: by the name of a call and the type of its operands, with the reason."""
DIFFERENCES = {}
GRADIENTS = {}
