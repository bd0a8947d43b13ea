# ruff: noqa: E501  # specs and messages stand here as users write and see them
"""Bad layers, each with the message it gets; and what a framework or format cannot hold."""

from __future__ import annotations

from pathlib import Path

import pytest
from tables import read_table

import xavinit

TABLE = """
=== layers that are no list
layers: {a: 1}
-->
spec.yaml:1:9: layers: must be a list of layers; got {"a": 1}
=== a layer that is no table
layers: [dense]
-->
spec.yaml:1:10: layers[0]: must be a mapping; got "dense"
=== no type
layers:
  - {name: fc, in: 3, out: 4}
-->
spec.yaml:2:5: layers[0]: must have the key "type" (or "layers", for a group)
=== an unknown type
layers:
  - {name: fc, type: dens, in: 3, out: 4}
-->
spec.yaml:2:22: layers[0].type: must be a type of layer; got "dens"
  hint: did you mean "dense"?
  choices: batch_norm, conv1d, conv2d, conv3d, conv_transpose2d, dense, depthwise_conv2d, embedding, gru, layer_norm, lstm, multi_head_attention, rms_norm
=== a type that is no word
layers:
  - {name: fc, type: 5}
-->
spec.yaml:2:22: layers[0].type: must be a type of layer; got 5
  choices: batch_norm, conv1d, conv2d, conv3d, conv_transpose2d, dense, depthwise_conv2d, embedding, gru, layer_norm, lstm, multi_head_attention, rms_norm
=== an unknown key
layers:
  - {name: conv, type: conv2d, in: 3, out: 4, kernal: 3}
-->
spec.yaml:2:47: layers[0].kernal: unknown key "kernal"
  hint: did you mean "kernel"?
=== a key of another type
layers:
  - {name: fc, type: dense, in: 3, out: 4, groups: 2}
-->
spec.yaml:2:44: layers[0].groups: unknown key "groups"
  choices: bias, bias_init, dtype, in, init, name, out, seed, type
=== a key that changes no weight
layers:
  - {name: conv, type: conv2d, in: 3, out: 4, kernel: 3, padding: 1}
-->
spec.yaml:2:58: layers[0].padding: unknown key "padding"
  hint: it changes no weight: leave it out
=== no name
layers:
  - {type: dense, in: 3, out: 4}
-->
spec.yaml:2:5: layers[0]: must have the key "name"
=== a size is missing
layers:
  - {name: fc, type: dense, in: 3}
-->
spec.yaml:2:5: layers[0]: must have the key "out"
=== a kernel is missing
layers:
  - {name: c, type: conv1d, in: 3, out: 4}
-->
spec.yaml:2:5: layers[0]: must have the key "kernel"
=== a name that is no string
layers:
  - {name: 5, type: dense, in: 3, out: 4}
-->
spec.yaml:2:12: layers[0].name: must be a string; got 5
=== an empty part of a name
layers:
  - {name: "a..b", type: dense, in: 3, out: 4}
-->
spec.yaml:2:12: layers[0].name: the name of a layer must be parts with dots between, none empty; got "a..b"
=== an open brace
layers:
  - {name: "a.{2", type: dense, in: 3, out: 4}
-->
spec.yaml:2:12: layers[0].name: a brace must be closed; got "a.{2"
  hint: write {{ or }} for a literal brace
=== a name twice
layers:
  - {name: fc, type: dense, in: 3, out: 4}
  - {name: fc, type: rms_norm, size: 4}
-->
spec.yaml:3:5: layers[1]: two tensors must not have one name; got "fc.weight", also from layers[0]
=== the name of a raw tensor
tensors:
  fc.bias: {shape: [4], init: zeros}
layers:
  - {name: fc, type: dense, in: 3, out: 4}
-->
spec.yaml:4:5: layers[0]: two tensors must not have one name; got "fc.bias", also from "fc.bias"
=== a zero size
layers:
  - {name: fc, type: dense, in: 0, out: 4}
-->
spec.yaml:2:33: layers[0].in: must be a positive integer; got 0
=== a zero kernel
layers:
  - {name: c, type: conv2d, in: 3, out: 4, kernel: [3, 0]}
-->
spec.yaml:2:56: layers[0].kernel[1]: must be a positive integer; got 0
=== a negative expression
dims: {d: 2}
layers:
  - {name: fc, type: dense, in: d, out: d - 4}
-->
spec.yaml:3:41: layers[0].out: must be a positive integer; got d - 4 = -2
=== an unknown dim
dims: {width: 2}
layers:
  - {name: fc, type: dense, in: widht, out: 3}
-->
spec.yaml:3:33: layers[0].in: unknown dim "widht"
  hint: did you mean "width"?
=== a fraction
layers:
  - {name: fc, type: dense, in: 1.5, out: 3}
-->
spec.yaml:2:33: layers[0].in: must be an integer, an expression, or a list of at least one; got 1.5
=== a boolean size
layers:
  - {name: n, type: rms_norm, size: true}
-->
spec.yaml:2:37: layers[0].size: must be an integer or an expression; got true
=== a boolean in a list
layers:
  - {name: fc, type: dense, in: [2, true], out: 3}
-->
spec.yaml:2:37: layers[0].in[1]: must be an integer or an expression; got true
=== an empty list
layers:
  - {name: fc, type: dense, in: [], out: 3}
-->
spec.yaml:2:33: layers[0].in: must be an integer, an expression, or a list of at least one; got []
=== a list of channels
layers:
  - {name: c, type: conv2d, in: [3, 4], out: 4, kernel: 3}
-->
spec.yaml:2:33: layers[0].in: must be an integer or an expression; got [3, 4]
=== a kernel of another rank
layers:
  - {name: c, type: conv3d, in: 3, out: 4, kernel: [3, 3]}
-->
spec.yaml:2:52: layers[0].kernel: must be an integer or a list of 3; got [3, 3]
=== groups that do not divide in
layers:
  - {name: c, type: conv2d, in: 3, out: 4, kernel: 3, groups: 2}
-->
spec.yaml:2:63: layers[0].groups: must divide in and out; got 2 for in: 3
=== groups that do not divide out
layers:
  - {name: c, type: conv2d, in: 4, out: 6, kernel: 3, groups: 4}
-->
spec.yaml:2:63: layers[0].groups: must divide in and out; got 4 for out: 6
=== zero groups
layers:
  - {name: c, type: conv2d, in: 4, out: 6, kernel: 3, groups: 0}
-->
spec.yaml:2:63: layers[0].groups: must be a positive integer; got 0
=== a bias that is no boolean
layers:
  - {name: fc, type: dense, in: 3, out: 4, bias: "off"}
-->
spec.yaml:2:50: layers[0].bias: must be true or false; got "off"
=== an initializer for a bias that is not there
layers:
  - {name: fc, type: dense, in: 3, out: 4, bias: false, bias_init: ones}
-->
spec.yaml:2:57: layers[0].bias_init: must not be given where bias is false
=== an unknown initializer of a bias
layers:
  - {name: fc, type: dense, in: 3, out: 4, bias_init: zeroes}
-->
spec.yaml:2:55: layers[0].bias_init: must be an initializer, or a table with its type; got "zeroes"
  hint: did you mean "zeros"?
  choices: arange, constant, default, glorot_normal, glorot_truncated_normal, glorot_uniform, he_normal, he_truncated_normal, he_uniform, kaiming_normal, kaiming_truncated_normal, kaiming_uniform, lecun_normal, lecun_truncated_normal, lecun_uniform, log_arange, normal, ones, truncated_normal, uniform, values, variance_scaling, xavier_normal, xavier_truncated_normal, xavier_uniform, zeros
=== an unknown key of an initializer
layers:
  - {name: fc, type: dense, in: 3, out: 4, bias_init: {type: normal, sdt: 1}}
-->
spec.yaml:2:70: layers[0].bias_init.sdt: unknown key "sdt"
  hint: did you mean "std"?
=== a bias with fans
layers:
  - {name: fc, type: dense, in: 3, out: 4, bias_init: glorot_normal}
-->
spec.yaml:2:55: layers[0].bias_init: glorot_normal needs fans: two axes or more beside batch axes; got shape [4] (tensor "fc.bias")
  hint: give it an init without fans, such as zeros, ones or {type: normal, std: 0.02}
=== a law that overflows
layers:
  - {name: fc, type: dense, in: 3, out: 4, dtype: float16, init: {type: normal, std: 1e5}}
-->
spec.yaml:2:66: layers[0].init: must fit float16, whose largest number is 65504; got values up to 640000 (normal std 100000) (tensor "fc.weight")
=== a rule that gives a bias fans
rules:
  - {match: "*", init: glorot_uniform}
layers:
  - {name: fc, type: dense, in: 3, out: 4}
-->
spec.yaml:2:24: rules[0].init: glorot_uniform needs fans: two axes or more beside batch axes; got shape [4] (tensor "fc.bias")
  hint: give it an init without fans, such as zeros, ones or {type: normal, std: 0.02}
=== a rule that makes a layer of integers
rules:
  - {match: "*", dtype: int64}
layers:
  - {name: fc, type: dense, in: 3, out: 4}
-->
spec.yaml:2:25: rules[0].dtype: int64 takes constants only (zeros, ones, constant, arange, values); got uniform ±0.92582 (tensor "fc.weight")
=== a default that gives a norm fans
defaults: {dtype: bool}
layers:
  - {name: fc, type: dense, in: 3, out: 4}
-->
spec.yaml:1:19: defaults.dtype: bool takes constants only (zeros, ones, constant, arange, values); got uniform ±0.92582 (tensor "fc.weight")
=== a variance below zero
rules:
  - {match: "*.running_var", init: {type: normal, std: 1}}
layers:
  - {name: bn, type: batch_norm, size: 4}
-->
spec.yaml:2:36: rules[0].init: a running variance must be a constant of at least 0; got normal (tensor running_var of layers[0])
=== a constant variance below zero
rules:
  - {match: "*.running_var", init: {type: constant, value: -1}}
layers:
  - {name: bn, type: batch_norm, size: 4}
-->
spec.yaml:2:36: rules[0].init: a running variance must be a constant of at least 0; got constant -1 (tensor running_var of layers[0])
=== an integer layer
layers:
  - {name: fc, type: dense, in: 3, out: 4, dtype: int32}
-->
spec.yaml:2:51: layers[0].dtype: int32 takes constants only (zeros, ones, constant, arange, values); got uniform ±0.92582 (tensor "fc.weight")
=== a group with a type
layers:
  - {name: g, type: dense, layers: []}
-->
spec.yaml:2:28: layers[0].layers: unknown key "layers"
  hint: a group has no type, and the layers of a stack are num_layers
=== the layers of a stack
layers:
  - {name: rnn, type: lstm, in: 3, hidden: 4, layers: 2}
-->
spec.yaml:2:47: layers[0].layers: unknown key "layers"
  hint: a group has no type, and the layers of a stack are num_layers
=== zero layers
layers:
  - {name: rnn, type: gru, in: 3, hidden: 4, num_layers: 0}
-->
spec.yaml:2:58: layers[0].num_layers: must be a positive integer; got 0
=== a stack as high as a tower
layers:
  - {name: rnn, type: gru, in: 3, hidden: 4, num_layers: 1000000000}
-->
spec.yaml:2:58: layers[0].num_layers: must be at most 1,000,000 tensors; got 4000000000
=== a stack of half a layer
layers:
  - {name: rnn, type: gru, in: 3, hidden: 4, num_layers: 1.5}
-->
spec.yaml:2:58: layers[0].num_layers: must be an integer or an expression; got 1.5
=== no state
layers:
  - {name: rnn, type: lstm, in: 3, out: 4}
-->
spec.yaml:2:36: layers[0].out: unknown key "out"
  choices: bias, bias_init, bidirectional, dtype, forget_bias, hidden, in, init, name, num_layers, recurrent_init, seed, type
=== a direction that PyTorch lacks
layers:
  - {name: rnn, type: lstm, in: 3, hidden: 4, direction: backward}
-->
spec.yaml:2:47: layers[0].direction: unknown key "direction"
  hint: bidirectional: true is both ways; PyTorch has no layer that runs backward alone
=== both ways, half
layers:
  - {name: rnn, type: lstm, in: 3, hidden: 4, bidirectional: 2}
-->
spec.yaml:2:62: layers[0].bidirectional: must be true or false; got 2
=== dropout
layers:
  - {name: rnn, type: lstm, in: 3, hidden: 4, dropout: 0.1}
-->
spec.yaml:2:47: layers[0].dropout: unknown key "dropout"
  hint: it changes no weight: leave it out
=== a forget bias of another layer
layers:
  - {name: rnn, type: gru, in: 3, hidden: 4, forget_bias: 1}
-->
spec.yaml:2:46: layers[0].forget_bias: unknown key "forget_bias"
  choices: bias, bias_init, bidirectional, dtype, hidden, in, init, name, num_layers, recurrent_init, seed, type
=== two initializers of one bias
layers:
  - {name: rnn, type: lstm, in: 3, hidden: 4, forget_bias: 1, bias_init: ones}
-->
spec.yaml:2:47: layers[0].forget_bias: forget_bias and bias_init are of one bias; got both
=== a forget bias without a bias
layers:
  - {name: rnn, type: lstm, in: 3, hidden: 4, forget_bias: 1, bias: false}
-->
spec.yaml:2:47: layers[0].forget_bias: must not be given where bias is false
=== a forget bias that is no number
layers:
  - {name: rnn, type: lstm, in: 3, hidden: 4, forget_bias: true}
-->
spec.yaml:2:60: layers[0].forget_bias: must be a finite number; got true
=== a forget bias without end
layers:
  - {name: rnn, type: lstm, in: 3, hidden: 4, forget_bias: .inf}
-->
spec.yaml:2:60: layers[0].forget_bias: must be a finite number; got Infinity
=== a forget bias that overflows
layers:
  - {name: rnn, type: lstm, in: 3, hidden: 4, forget_bias: 1e5, dtype: float16}
-->
spec.yaml:2:60: layers[0].forget_bias: must fit float16, whose largest number is 65504; got 100000.0 (tensor "rnn.bias_ih_l0")
=== a misspelled initializer of the state
layers:
  - {name: rnn, type: gru, in: 3, hidden: 4, recurrent_init: {type: normal, sdt: 1}}
-->
spec.yaml:2:77: layers[0].recurrent_init.sdt: unknown key "sdt"
  hint: did you mean "std"?
=== an initializer that does not exist
layers:
  - {name: rnn, type: gru, in: 3, hidden: 4, recurrent_init: orthogonal}
-->
spec.yaml:2:62: layers[0].recurrent_init: must be an initializer, or a table with its type; got "orthogonal"
  hint: none is orthogonal; glorot_normal has the same variance for a square matrix
  choices: arange, constant, default, glorot_normal, glorot_truncated_normal, glorot_uniform, he_normal, he_truncated_normal, he_uniform, kaiming_normal, kaiming_truncated_normal, kaiming_uniform, lecun_normal, lecun_truncated_normal, lecun_uniform, log_arange, normal, ones, truncated_normal, uniform, values, variance_scaling, xavier_normal, xavier_truncated_normal, xavier_uniform, zeros
=== heads that do not divide
layers:
  - {name: attn, type: multi_head_attention, size: 8, heads: 3}
-->
spec.yaml:2:62: layers[0].heads: must divide size; got 3 for size: 8
=== no heads
layers:
  - {name: attn, type: multi_head_attention, size: 8}
-->
spec.yaml:2:5: layers[0]: must have the key "heads"
=== zero heads
layers:
  - {name: attn, type: multi_head_attention, size: 8, heads: 0}
-->
spec.yaml:2:62: layers[0].heads: must be a positive integer; got 0
=== heads of key and value that do not divide
layers:
  - {name: attn, type: multi_head_attention, size: 8, heads: 4, kv_heads: 3}
-->
spec.yaml:2:75: layers[0].kv_heads: must divide heads; got 3 for heads: 4
=== zero heads of key and value
layers:
  - {name: attn, type: multi_head_attention, size: 8, heads: 4, kv_heads: 0}
-->
spec.yaml:2:75: layers[0].kv_heads: must be a positive integer; got 0
=== heads of key and value in Flax
framework: flax
layers:
  - {name: attn, type: multi_head_attention, size: 8, heads: 4, kv_heads: 2}
-->
spec.yaml:3:75: layers[0].kv_heads: Flax's MultiHeadDotProductAttention has no heads of key and value alone; got 2
=== a layer of a stack's name in Keras
framework: keras
layers:
  - {name: rnn, type: lstm, in: 3, hidden: 4, num_layers: 2}
  - {name: rnn_1, type: dense, in: 3, out: 4}
-->
spec.yaml:4:5: layers[1]: two layers must not have one name; got "rnn_1" twice
=== a layer of a stack's name in Flax
framework: flax
layers:
  - {name: rnn, type: lstm, in: 3, hidden: 4, num_layers: 2}
  - {name: rnn.1, type: batch_norm, size: 4}
-->
spec.yaml:4:5: layers[1]: two layers must not have one name; got "rnn_1" twice
=== a layer of a cell's name in Flax
framework: flax
layers:
  - {name: rnn.cell, type: dense, in: 3, out: 4}
  - {name: rnn, type: gru, in: 3, hidden: 4}
-->
spec.yaml:4:5: layers[1]: two layers must not have one name; got "rnn.cell" twice
=== two layers of one name that share no tensor's
layers:
  - {name: a, type: embedding, in: 3, out: 4}
  - {name: a, type: multi_head_attention, size: 4, heads: 2}
-->
spec.yaml:3:5: layers[1]: two layers must not have one name; got "a" twice
=== an empty group
layers:
  - {name: g, layers: []}
-->
spec.yaml:2:23: layers[0].layers: a group must have a layer; got []
=== a fault in a group
layers:
  - name: "g.{2}"
    layers:
      - {name: fc, type: dense, in: 3, out: 4}
      - {name: c, type: conv2d, in: 3, out: 4, kernel: 3, stride: 2}
-->
spec.yaml:5:59: layers[0].layers[1].stride: unknown key "stride"
  hint: it changes no weight: leave it out
=== too many
layers:
  - {name: "g.{1000}", layers: [{name: "fc.{1000}", type: dense, in: 3, out: 4}]}
-->
spec.yaml:2:3: layers: must be at most 1,000,000 tensors; got 2000000
=== too large
layers:
  - {name: e, type: embedding, in: 4294967296, out: 4294967296}
-->
spec.yaml:2:5: layers[0]: must be at most 2⁶³−1 bytes; got 73786976294838206464 (tensor "e.weight")
=== a rule of axes
rules:
  - {match: "*", layout: in_out}
layers:
  - {name: fc, type: dense, in: 3, out: 4}
-->
spec.yaml:2:18: rules[0].layout: a layer knows its own axes: layout is for tensors; the rule matches "fc.weight"
=== tied to another shape
rules:
  - {match: head.weight, tied: emb.weight}
layers:
  - {name: emb, type: embedding, in: 5, out: 4}
  - {name: head, type: dense, in: 5, out: 4, bias: false}
-->
spec.yaml:2:32: rules[0].tied: a layer's tensor must be tied to one of its shape, [4, 5] of "head.weight"; got "emb.weight": [5, 4]
=== tied beside an initializer
rules:
  - {match: head.weight, tied: emb.weight}
layers:
  - {name: emb, type: embedding, in: 5, out: 4}
  - {name: head, type: dense, in: 4, out: 5, bias: false, init: zeros}
-->
spec.yaml:5:59: layers[1].init: tied takes no other key; got "init" too (tied by rules[0].tied)
=== groups that Keras lacks
framework: keras
layers:
  - {name: up, type: conv_transpose2d, in: 4, out: 4, kernel: 2, groups: 2}
-->
spec.yaml:3:74: layers[0].groups: Keras's Conv2DTranspose has no groups; got 2
=== groups that Flax lacks
framework: flax
layers:
  - {name: up, type: conv_transpose2d, in: 4, out: 4, kernel: 2, groups: 2}
-->
spec.yaml:3:74: layers[0].groups: Flax's ConvTranspose has no groups; got 2
=== a slash in Keras
framework: keras
layers:
  - {name: a/b, type: dense, in: 4, out: 4}
-->
spec.yaml:3:12: layers[0].name: the name of a layer must not have a / in Keras; got "a/b"
=== two names that Flax makes one
framework: flax
layers:
  - {name: fc.0, type: dense, in: 4, out: 4}
  - {name: fc_0, type: dense, in: 4, out: 4}
-->
spec.yaml:4:5: layers[1]: two layers must not have one name; got "fc_0" twice
=== a layer within another's variable
framework: flax
layers:
  - {name: fc.kernel, type: dense, in: 4, out: 4}
  - {name: fc, type: dense, in: 4, out: 4}
-->
spec.yaml:3:5: layers[0]: a variable must not be a module too in Flax; got "params.fc.kernel" and "params.fc.kernel.kernel"
"""
ROWS = read_table(TABLE)


@pytest.mark.parametrize("title", ROWS)
def test_bad_layer(title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    spec, message = ROWS[title]
    Path("spec.yaml").write_text(spec, encoding="utf-8")
    with pytest.raises(xavinit.SpecError) as caught:
        xavinit.make_plan("spec.yaml")
    assert str(caught.value) == message
