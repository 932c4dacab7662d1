"""Recurrent layers: LSTM, GRU, plain RNN and their cells, and the gates of a real-gated linear recurrence."""

from collections.abc import Iterator
from math import prod

from torch import nn

from netwright_predictor.analyzers.analyzer import Analyzer, Dimensions, Site
from netwright_predictor.polynomial import Polynomial

ONE = Polynomial.constant(1)


class RecurrentAnalyzer(Analyzer):
    """`torch.nn.LSTM`, `GRU` and `RNN`, of any number of layers, in one or both directions, with or without projection.

    Per token, layer and direction, `gates` blocks of hidden_size rows meet the input and the hidden state: 4 in an LSTM
    (Hochreiter and Schmidhuber 1997, with forget gate), 3 in a GRU (Cho et al., arXiv:1406.1078), 1 in a plain RNN. The
    hidden state has `output_size` numbers: hidden_size, unless the layer projects it.
    """

    def get_required_parameters(self) -> dict[str, str]:
        sizes = ("tokens", "gates", "input_size", "hidden_size", "output_size", "num_layers", "directions")
        return dict.fromkeys((*sizes, "has_bias", "dtype_bytes"), "int")

    def dimensions(self, site: Site) -> Iterator[Dimensions]:
        module = site.module
        if isinstance(module, nn.RNNBase):
            layers, directions = module.num_layers, 1 + int(module.bidirectional)
            projection = module.proj_size
        elif isinstance(module, nn.RNNCellBase):
            layers, directions, projection = 1, 1, 0
        else:
            return
        rows = next(each.shape[0] for each in module._parameters.values() if each is not None)
        numbers = {
            "gates": rows // module.hidden_size,
            "input_size": module.input_size,
            "hidden_size": module.hidden_size,
            "output_size": projection or module.hidden_size,
            "num_layers": layers,
            "directions": directions,
            "has_bias": int(bool(module.bias)),
        }
        known = {name: Polynomial.constant(value) for name, value in numbers.items()}
        for dims in site.flow.dims.values():
            yield {"tokens": prod(dims[:-1], start=ONE), **known}

    def compute_flops(self, **parameters: int) -> int:
        """2 * tokens * weights."""
        return 2 * parameters["tokens"] * self._weights(**parameters)

    def compute_other_operations(self, **parameters: int) -> int:
        """Per token and hidden number: two biases and an activation per gate, and four operations on the state."""
        per_number = parameters["gates"] * (1 + 2 * parameters["has_bias"]) + 4
        layers = parameters["num_layers"] * parameters["directions"]
        return parameters["tokens"] * parameters["hidden_size"] * per_number * layers

    def compute_memory_reads(self, **parameters: int) -> int:
        """The inputs of each layer, and the weights, each once."""
        later = (parameters["num_layers"] - 1) * parameters["directions"] * parameters["output_size"]
        inputs = parameters["tokens"] * (parameters["input_size"] + later)
        return (inputs + self._weights(**parameters) + self._biases(**parameters)) * parameters["dtype_bytes"]

    def compute_memory_writes(self, **parameters: int) -> int:
        layers = parameters["num_layers"] * parameters["directions"]
        return parameters["tokens"] * layers * parameters["output_size"] * parameters["dtype_bytes"]

    def compute_intermediates(self, **parameters: int) -> int:
        """Per token, layer and direction: the input, the gates, the cell's and the hidden state."""
        layers = parameters["num_layers"] * parameters["directions"]
        states = layers * (parameters["hidden_size"] * (parameters["gates"] + 1) + parameters["output_size"])
        return parameters["tokens"] * (parameters["input_size"] + states) * parameters["dtype_bytes"]

    def _weights(self, **parameters: int) -> int:
        """Of all layers: by input, by hidden state, and of the projection."""
        gates, directions = parameters["gates"] * parameters["hidden_size"], parameters["directions"]
        output, layers = parameters["output_size"], parameters["num_layers"]
        projected = parameters["hidden_size"] * output if output != parameters["hidden_size"] else 0
        inputs = parameters["input_size"] + (layers - 1) * directions * output
        return directions * (gates * (inputs + layers * output) + layers * projected)

    def _biases(self, **parameters: int) -> int:
        rows = parameters["gates"] * parameters["hidden_size"]
        return 2 * parameters["has_bias"] * rows * parameters["num_layers"] * parameters["directions"]


class LinearRecurrenceAnalyzer(Analyzer):
    """The real-gated linear recurrent unit of Griffin (De et al., arXiv:2402.19427, section 2.4).

    Two gates, each a block-diagonal product of `num_heads` blocks of `block_width` rows and columns; the recurrence
    itself multiplies number by number, which counts as other operations.
    """

    def get_required_parameters(self) -> dict[str, str]:
        return dict.fromkeys(("tokens", "gates", "num_heads", "block_width", "dtype_bytes"), "int")

    def dimensions(self, site: Site) -> Iterator[Dimensions]:
        blocks = [each for each in site.module._parameters.values() if each is not None and each.dim() == 3]
        for dims in site.flow.dims.values():
            if len(dims) == 3 and blocks:
                numbers = {
                    "gates": len(blocks),
                    "num_heads": blocks[0].shape[0],
                    "block_width": blocks[0].shape[1],
                }
                constants = {name: Polynomial.constant(value) for name, value in numbers.items()}
                yield {"tokens": dims[0] * dims[1], **constants}

    def compute_flops(self, **parameters: int) -> int:
        """2 * tokens * gates * num_heads * block_width²."""
        return 2 * parameters["tokens"] * self._weights(**parameters)

    def compute_other_operations(self, **parameters: int) -> int:
        """Per number: the gates' biases and sigmoids, eight operations for decay and input, two for the recurrence."""
        return parameters["tokens"] * self._width(**parameters) * (2 * parameters["gates"] + 10)

    def compute_memory_reads(self, **parameters: int) -> int:
        inputs = parameters["tokens"] * self._width(**parameters)
        return (inputs + self._weights(**parameters)) * parameters["dtype_bytes"]

    def compute_memory_writes(self, **parameters: int) -> int:
        return parameters["tokens"] * self._width(**parameters) * parameters["dtype_bytes"]

    def compute_intermediates(self, **parameters: int) -> int:
        """Its input, the gates, and the states in all positions."""
        numbers = (2 + parameters["gates"]) * self._width(**parameters)
        return parameters["tokens"] * numbers * parameters["dtype_bytes"]

    def _width(self, **parameters: int) -> int:
        return parameters["num_heads"] * parameters["block_width"]

    def _weights(self, **parameters: int) -> int:
        return parameters["gates"] * self._width(**parameters) * parameters["block_width"]
