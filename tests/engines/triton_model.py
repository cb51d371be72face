"""What Triton runs for a model: the tensors of a language model, with an answer that is known.

Read by Triton's Python backend in a process of its own, which provides `triton_python_backend_utils`. It mimics two
interfaces, and no more: that of Triton's vLLM backend (`sampling_parameters`, JSON in a string; counts where it is
asked for them) and that of TensorRT-LLM's ensemble (`max_tokens`, a tensor). `triton_server.py` says which one.
"""

from __future__ import annotations

import json
import threading
import time
from itertools import count, cycle, islice

import numpy as np
import triton_python_backend_utils as pb

_DEFAULT_MAX_TOKENS = 16  # what vLLM takes where nobody asks for more
_TOKEN_S = 0.002
_END = ""  # the end of the turn is a token without text


class TritonPythonModel:
    """The name that the backend looks for."""

    def initialize(self, args):
        """`answer`: its words. `breaks_every`: each so many requests fail after `breaks_after` tokens; 0 = never."""
        config = json.loads(args["model_config"])
        parameters = {name: value["string_value"] for name, value in config["parameters"].items()}
        self.tokens = [*parameters["answer"].split("|"), _END]
        self.breaks_every = int(parameters["breaks_every"])
        self.breaks_after = int(parameters["breaks_after"])
        self.streams = pb.using_decoupled_model_transaction_policy(config)
        self.numbers = count(1)

    def execute(self, requests):
        """Whole answers at once; streams from a thread each, as a server that batches continuously does."""
        if not self.streams:
            return [self._whole(request) for request in requests]
        for request in requests:
            number = next(self.numbers)
            breaks = self.breaks_every > 0 and number % self.breaks_every == 0
            sender = request.get_response_sender()
            threading.Thread(target=self._send, args=(request, sender, breaks), daemon=True).start()
        return None

    def _send(self, request, sender, breaks):
        if _input(request, "stream", False):
            tokens = self._answer(request)
            for place, token in enumerate(tokens):
                if breaks and place == self.breaks_after:
                    sender.send(pb.InferenceResponse(error=pb.TritonError("the engine has died")))
                    break
                time.sleep(_TOKEN_S)
                is_last = place + 1 == len(tokens)
                sender.send(_response(request, token, 1, _why_ended(tokens) if is_last else "None"))
        else:
            sender.send(self._whole(request))
        sender.send(flags=pb.TRITONSERVER_RESPONSE_COMPLETE_FINAL)

    def _whole(self, request):
        """An answer that is not streamed begins with its prompt, unless asked not to: so do both interfaces."""
        tokens = self._answer(request)
        echo = "" if _input(request, "exclude_input_in_output", False) else _prompt(request)
        return _response(request, echo + "".join(tokens), len(tokens), _why_ended(tokens))

    def _answer(self, request):
        sampling = json.loads(_input(request, "sampling_parameters", b"{}"))
        wanted = int(sampling.get("max_tokens", _input(request, "max_tokens", _DEFAULT_MAX_TOKENS)))
        endless = sampling.get("ignore_eos", False)
        return list(islice(cycle(self.tokens) if endless else self.tokens, wanted))


def _why_ended(tokens):
    return "stop" if tokens[-1] == _END else "length"


def _prompt(request):
    return _input(request, "text_input", b"").decode()


def _input(request, name, default):
    tensor = pb.get_input_tensor_by_name(request, name)
    return default if tensor is None else tensor.as_numpy().reshape(-1)[0]


def _response(request, text, tokens, finish):
    outputs = [pb.Tensor("text_output", np.array([text.encode()], dtype=np.object_))]
    if _input(request, "return_finish_reason", False):
        outputs.append(pb.Tensor("finish_reason", np.array([finish.encode()], dtype=np.object_)))
    if _input(request, "return_num_output_tokens", False):
        outputs.append(pb.Tensor("num_output_tokens", np.array([tokens], dtype=np.uint32)))
    if _input(request, "return_num_input_tokens", False):
        words = len(_prompt(request).split())
        outputs.append(pb.Tensor("num_input_tokens", np.array([words], dtype=np.uint32)))
    return pb.InferenceResponse(output_tensors=outputs)
