"""How the bundled model was made; nothing at run time imports this (needs torch and onnx)."""
