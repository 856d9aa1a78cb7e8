"""ONNX Runtime on one thread: parallelism comes from worker processes."""

import onnxruntime as ort


def open_session(model: bytes) -> ort.InferenceSession:
    """A session on the CPU; raises what ONNX Runtime raises for a damaged model."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
