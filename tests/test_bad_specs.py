# ruff: noqa: E501  # specs and messages stand here as users write and see them
"""Bad specs, each with the message it gets: the rule, what was got, where; and a hint."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tables import read_table

import xavinit
from xavinit.failures import format_error
from xavinit.spec import parse_document, resolve_spec

TABLE = """
=== a top-level key that would color the terminal
"\\e[31m": 1
tensors: {}
-->
spec.yaml:1:1: \\x1b[31m: unknown key "\\u001b[31m"
  choices: $schema, defaults, dims, framework, layers, rng, rules, seed, tensors
=== several errors in every table
defaults: {dtype: half, init: glorut_normal}
rules: [{match: "*", dtype: half, init: zeross}]
layers:
  - {name: a, type: dense, in: 3, out: 4, bias: 0, bias_init: zeross}
tensors:
  q: {shape: [3, -1], init: zeross, dtype: half}
-->
spec.yaml:1:19: defaults.dtype: must be a dtype; got "half"
  hint: did you mean "float16"?
  choices: bfloat16, bool, float16, float32, float64, float8_e4m3fn, float8_e5m2, int32, int64, uint8
spec.yaml:1:31: defaults.init: must be an initializer, or a table with its type; got "glorut_normal"
  hint: did you mean "glorot_normal"?
  choices: arange, constant, default, glorot_normal, glorot_truncated_normal, glorot_uniform, he_normal, he_truncated_normal, he_uniform, kaiming_normal, kaiming_truncated_normal, kaiming_uniform, lecun_normal, lecun_truncated_normal, lecun_uniform, log_arange, normal, ones, truncated_normal, uniform, values, variance_scaling, xavier_normal, xavier_truncated_normal, xavier_uniform, zeros
spec.yaml:2:29: rules[0].dtype: must be a dtype; got "half"
  hint: did you mean "float16"?
  choices: bfloat16, bool, float16, float32, float64, float8_e4m3fn, float8_e5m2, int32, int64, uint8
spec.yaml:2:41: rules[0].init: must be an initializer, or a table with its type; got "zeross"
  hint: did you mean "zeros"?
  choices: arange, constant, default, glorot_normal, glorot_truncated_normal, glorot_uniform, he_normal, he_truncated_normal, he_uniform, kaiming_normal, kaiming_truncated_normal, kaiming_uniform, lecun_normal, lecun_truncated_normal, lecun_uniform, log_arange, normal, ones, truncated_normal, uniform, values, variance_scaling, xavier_normal, xavier_truncated_normal, xavier_uniform, zeros
spec.yaml:4:49: layers[0].bias: must be true or false; got 0
spec.yaml:4:63: layers[0].bias_init: must be an initializer, or a table with its type; got "zeross"
  hint: did you mean "zeros"?
  choices: arange, constant, default, glorot_normal, glorot_truncated_normal, glorot_uniform, he_normal, he_truncated_normal, he_uniform, kaiming_normal, kaiming_truncated_normal, kaiming_uniform, lecun_normal, lecun_truncated_normal, lecun_uniform, log_arange, normal, ones, truncated_normal, uniform, values, variance_scaling, xavier_normal, xavier_truncated_normal, xavier_uniform, zeros
spec.yaml:6:18: tensors["q"].shape[1]: must be a positive integer or zero; got -1
spec.yaml:6:29: tensors["q"].init: must be an initializer, or a table with its type; got "zeross"
  hint: did you mean "zeros"?
  choices: arange, constant, default, glorot_normal, glorot_truncated_normal, glorot_uniform, he_normal, he_truncated_normal, he_uniform, kaiming_normal, kaiming_truncated_normal, kaiming_uniform, lecun_normal, lecun_truncated_normal, lecun_uniform, log_arange, normal, ones, truncated_normal, uniform, values, variance_scaling, xavier_normal, xavier_truncated_normal, xavier_uniform, zeros
spec.yaml:6:44: tensors["q"].dtype: must be a dtype; got "half"
  hint: did you mean "float16"?
  choices: bfloat16, bool, float16, float32, float64, float8_e4m3fn, float8_e5m2, int32, int64, uint8
=== a boolean dimension
tensors:
  w: [true, 3]
-->
spec.yaml:2:7: tensors["w"][0]: must be an integer or an expression; got true
=== a fractional dimension
tensors:
  w: [3, 1.5]
-->
spec.yaml:2:10: tensors["w"][1]: must be an integer or an expression; got 1.5
=== a float dimension
tensors:
  w: [3.0, 3]
-->
spec.yaml:2:7: tensors["w"][0]: must be an integer or an expression; got 3.0
  hint: write 3
=== a dimension of null
tensors:
  w: [null]
-->
spec.yaml:2:7: tensors["w"][0]: must be an integer or an expression; got null
=== a list as a dimension
tensors:
  w: [[3], 4]
-->
spec.yaml:2:7: tensors["w"][0]: must be an integer or an expression; got [3]
=== a negative dimension
tensors:
  w: [3, -3]
-->
spec.yaml:2:10: tensors["w"][1]: must be a positive integer or zero; got -3
=== a negative expression
dims: {d: 3}
tensors:
  w: [3, d-4]
-->
spec.yaml:3:10: tensors["w"][1]: must be a positive integer or zero; got d-4 = -1
=== words
tensors:
  w: ["12 apples", 3]
-->
spec.yaml:2:7: tensors["w"][0]: must be an integer expression (integers, dims, + - * // and parentheses); got "12 apples" at "apples"
=== an empty expression
tensors:
  w: ["", 3]
-->
spec.yaml:2:7: tensors["w"][0]: must be an integer expression (integers, dims, + - * // and parentheses); got ""
=== an unknown dim
dims: {width: 3}
tensors:
  w: [3, 2*widht]
-->
spec.yaml:3:10: tensors["w"][1]: unknown dim "widht"
  hint: did you mean "width"?
=== an unknown dim, none near
dims: {width: 3, depth: 4}
tensors:
  w: [x]
-->
spec.yaml:3:7: tensors["w"][0]: unknown dim "x"
  hint: dims: width, depth
=== no dims
tensors:
  w: [d, 3]
-->
spec.yaml:2:7: tensors["w"][0]: unknown dim "d"
  hint: dims is empty
=== powers
tensors:
  w: [9**9**9]
-->
spec.yaml:2:7: tensors["w"][0]: must be an integer expression (integers, dims, + - * // and parentheses); got "9**9**9" at "*"
=== a call
tensors:
  w: ["f(x)", 3]
-->
spec.yaml:2:7: tensors["w"][0]: must be an integer expression (integers, dims, + - * // and parentheses); got "f(x)" at "("
=== division by zero
dims: {d: 3}
tensors:
  w: [d//0]
-->
spec.yaml:3:7: tensors["w"][0]: must not divide by zero; got "d//0"
=== a dimension of 2⁶³
tensors:
  w: [9223372036854775808]
-->
spec.yaml:2:7: tensors["w"][0]: must stay below 2⁶³; got 9223372036854775808
=== an overflow
dims: {d: 4294967296}
tensors:
  w: [d*d]
-->
spec.yaml:3:7: tensors["w"][0]: must stay below 2⁶³; got 18446744073709551616
=== a tensor of 2⁶⁴ elements
tensors:
  w: [4294967296, 4294967296]
-->
spec.yaml:2:6: tensors["w"]: must be at most 2⁶³−1 bytes; got 73786976294838206464
=== a tensor of 2⁶³ bytes
tensors:
  w: {dtype: float64, shape: [1152921504606846976], init: zeros}
-->
spec.yaml:2:30: tensors["w"].shape: must be at most 2⁶³−1 bytes; got 9223372036854775808
=== a tensor beyond any float
dims: {d: 4611686018427387904}
tensors:
  w: [d, d, d, d, d, d, d, d, d, d, d, d, d, d, d, d, d, d, d, d, d, d, d, d, d, d, d, d, d, d, d, d]
-->
spec.yaml:3:6: tensors["w"]: must be at most 2⁶³−1 bytes; got an integer of 1987 bits
=== 2⁶³ bytes in total
tensors:
  a: [1073741824, 1073741824]
  b: {tied: a}
-->
spec.yaml:2:3: tensors: must be at most 2⁶³−1 bytes in total; got 9223372036854775808
=== 33 dimensions
tensors:
  w: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]
-->
spec.yaml:2:6: tensors["w"]: must be at most 32 dimensions; got 33
=== 33 dimensions in a table
tensors:
  w: {shape: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]}
-->
spec.yaml:2:14: tensors["w"].shape: must be at most 32 dimensions; got 33
=== a number for a shape
tensors:
  w: {shape: 5}
-->
spec.yaml:2:14: tensors["w"].shape: must be a list of dimensions; got 5
=== a number for a tensor
tensors:
  w: 5
-->
spec.yaml:2:6: tensors["w"]: must be a list of dimensions or a table; got 5
  hint: a shape is a list: [5]
=== nothing for a tensor
tensors:
  w:
-->
spec.yaml:2:5: tensors["w"]: must be a list of dimensions or a table; got null
=== no shape
tensors:
  w: {init: zeros}
-->
spec.yaml:2:6: tensors["w"]: must have the key "shape" (or "tied")
=== dims is a list
dims: [d]
tensors:
  w: [3, 3]
-->
spec.yaml:1:7: dims: must be a mapping; got ["d"]
=== a dim of a bad name
dims: {d: 1, 2d: 5}
tensors:
  w: [3, 3]
-->
spec.yaml:1:14: dims["2d"]: the name of a dim must be letters, digits and _, not a digit first; got "2d"
=== a dim with a dot
dims:
  a.b: 5
tensors:
  w: [3, 3]
-->
spec.yaml:2:3: dims["a.b"]: the name of a dim must be letters, digits and _, not a digit first; got "a.b"
=== a fractional dim
dims: {d: 1.5}
tensors:
  w: [3, 3]
-->
spec.yaml:1:11: dims.d: must be an integer or an expression; got 1.5
=== a boolean dim
dims: {d: true}
tensors:
  w: [3, 3]
-->
spec.yaml:1:11: dims.d: must be an integer or an expression; got true
=== a negative dim
dims: {d: -1}
tensors:
  w: [3, 3]
-->
spec.yaml:1:11: dims.d: must be an integer of at least 0; got -1
=== a dim of an unknown dim
dims:
  a: 1
  b: c
tensors:
  w: [3, 3]
-->
spec.yaml:3:6: dims.b: unknown dim "c"
  hint: dims: a
=== a circle of dims
dims:
  a: b
  b: c + 1
  c: 2*a
tensors:
  w: [a, 3]
-->
spec.yaml:4:6: dims.c: a dim must not depend on itself; got a → b → c → a
=== a dim of itself
dims: {a: a}
tensors:
  w: [a, 3]
-->
spec.yaml:1:11: dims.a: a dim must not depend on itself; got a → a
=== no tensors
seed: 3
-->
spec.yaml:1:1: must have the key "tensors" or "layers"
=== tensors is a list
tensors: [w]
-->
spec.yaml:1:10: tensors: must be a mapping; got ["w"]
  hint: name each, as in w: [3, 4]
=== tensors is empty
tensors:
-->
spec.yaml:1:9: tensors: must be a mapping; got null
=== an unknown key at the top
tensor: {w: [3]}
-->
spec.yaml:1:1: tensor: unknown key "tensor"
  hint: did you mean "tensors"?
=== an unknown key at the top, none near
version: 2
tensors:
  w: [3, 3]
-->
spec.yaml:1:1: version: unknown key "version"
  choices: $schema, defaults, dims, framework, layers, rng, rules, seed, tensors
=== a list at the top
- a
-->
spec.yaml:1:1: must be a mapping; got ["a"]
=== an unknown key of a tensor
tensors:
  w: {shape: [3, 3], dtpye: float32}
-->
spec.yaml:2:22: tensors["w"].dtpye: unknown key "dtpye"
  hint: did you mean "dtype"?
=== an unknown key of an init
tensors:
  w: {shape: [3], init: {type: normal, sdt: 1}}
-->
spec.yaml:2:40: tensors["w"].init.sdt: unknown key "sdt"
  hint: did you mean "std"?
=== shape in a rule
rules:
- {match: "*", shape: [3]}
tensors:
  w: [3, 3]
-->
spec.yaml:2:16: rules[0].shape: unknown key "shape"
  choices: batch_axis, dtype, fans_of, fused, in_axis, init, layout, match, out_axis, seed, stream, tied, zero_rows
=== shape in defaults
defaults: {shape: [3]}
tensors:
  w: [3, 3]
-->
spec.yaml:1:12: defaults.shape: unknown key "shape"
  choices: batch_axis, dtype, fans_of, fused, in_axis, init, layout, out_axis, seed, stream, tied, zero_rows
=== match in defaults
defaults: {match: x}
tensors:
  w: [3, 3]
-->
spec.yaml:1:12: defaults.match: unknown key "match"
  choices: batch_axis, dtype, fans_of, fused, in_axis, init, layout, out_axis, seed, stream, tied, zero_rows
=== defaults is a string
defaults: float32
tensors:
  w: [3, 3]
-->
spec.yaml:1:11: defaults: must be a mapping; got "float32"
=== rules is a mapping
rules: {match: x}
tensors:
  w: [3, 3]
-->
spec.yaml:1:8: rules: must be a list; got {"match": "x"}
  hint: each is a table of its own: - {match: "*.bias", init: zeros}
=== a rule is a string
rules:
- x
tensors:
  w: [3, 3]
-->
spec.yaml:2:3: rules[0]: must be a mapping; got "x"
=== a rule without match
rules:
- {init: zeros}
tensors:
  w: [3, 3]
-->
spec.yaml:2:3: rules[0]: must have the key "match"
=== match is a number
rules:
- match: 5
tensors:
  w: [3, 3]
-->
spec.yaml:2:10: rules[0].match: must be a string; got 5
=== $schema is a number
$schema: 5
tensors:
  w: [3, 3]
-->
spec.yaml:1:10: $schema: must be a string; got 5
=== an unknown dtype
tensors:
  w: {shape: [3, 3], dtype: flaot32}
-->
spec.yaml:2:29: tensors["w"].dtype: must be a dtype; got "flaot32"
  hint: did you mean "float32"?
  choices: bfloat16, bool, float16, float32, float64, float8_e4m3fn, float8_e5m2, int32, int64, uint8
=== a dtype of torch
defaults: {dtype: half}
tensors:
  w: [3, 3]
-->
spec.yaml:1:19: defaults.dtype: must be a dtype; got "half"
  hint: did you mean "float16"?
  choices: bfloat16, bool, float16, float32, float64, float8_e4m3fn, float8_e5m2, int32, int64, uint8
=== a number for a dtype
tensors:
  w: {shape: [3, 3], dtype: 32}
-->
spec.yaml:2:29: tensors["w"].dtype: must be a dtype; got 32
  choices: bfloat16, bool, float16, float32, float64, float8_e4m3fn, float8_e5m2, int32, int64, uint8
=== an unknown layout
tensors:
  w: {shape: [3, 3], layout: in_uot}
-->
spec.yaml:2:30: tensors["w"].layout: must be in_out or out_in; got "in_uot"
  hint: did you mean "in_out"?
=== an unknown framework
framework: torch
tensors:
  w: [3, 3]
-->
spec.yaml:1:12: framework: must be flax, keras or pytorch; got "torch"
  hint: did you mean "pytorch"?
=== a wrong case
framework: Keras
tensors:
  w: [3, 3]
-->
spec.yaml:1:12: framework: must be flax, keras or pytorch; got "Keras"
  hint: did you mean "keras"?
=== a seed below 0
seed: -1
tensors:
  w: [3, 3]
-->
spec.yaml:1:7: seed: must be an integer from 0 to 2⁶⁴−1; got -1
=== a seed of 2⁶⁴
seed: 18446744073709551616
tensors:
  w: [3, 3]
-->
spec.yaml:1:7: seed: must be an integer from 0 to 2⁶⁴−1; got 18446744073709551616
=== a fractional seed
seed: 1.0
tensors:
  w: [3, 3]
-->
spec.yaml:1:7: seed: must be an integer from 0 to 2⁶⁴−1; got 1.0
=== a boolean seed
seed: true
tensors:
  w: [3, 3]
-->
spec.yaml:1:7: seed: must be an integer from 0 to 2⁶⁴−1; got true
=== a string as a seed
seed: "42"
tensors:
  w: [3, 3]
-->
spec.yaml:1:7: seed: must be an integer from 0 to 2⁶⁴−1; got "42"
  hint: write it without quotes
=== a null seed
seed:
tensors:
  w: [3, 3]
-->
spec.yaml:1:6: seed: must be an integer from 0 to 2⁶⁴−1; got null
=== an unknown init
tensors:
  w: {shape: [3, 3], init: galrot_normal}
-->
spec.yaml:2:28: tensors["w"].init: must be an initializer, or a table with its type; got "galrot_normal"
  hint: did you mean "glorot_normal"?
  choices: arange, constant, default, glorot_normal, glorot_truncated_normal, glorot_uniform, he_normal, he_truncated_normal, he_uniform, kaiming_normal, kaiming_truncated_normal, kaiming_uniform, lecun_normal, lecun_truncated_normal, lecun_uniform, log_arange, normal, ones, truncated_normal, uniform, values, variance_scaling, xavier_normal, xavier_truncated_normal, xavier_uniform, zeros
=== an unknown type of init
tensors:
  w: {shape: [3, 3], init: {type: zeroes}}
-->
spec.yaml:2:35: tensors["w"].init.type: must be an initializer; got "zeroes"
  hint: did you mean "zeros"?
  choices: arange, constant, default, glorot_normal, glorot_truncated_normal, glorot_uniform, he_normal, he_truncated_normal, he_uniform, kaiming_normal, kaiming_truncated_normal, kaiming_uniform, lecun_normal, lecun_truncated_normal, lecun_uniform, log_arange, normal, ones, truncated_normal, uniform, values, variance_scaling, xavier_normal, xavier_truncated_normal, xavier_uniform, zeros
=== a list for an init
tensors:
  w: {shape: [3, 3], init: [zeros]}
-->
spec.yaml:2:28: tensors["w"].init: must be an initializer, or a table with its type; got ["zeros"]
  choices: arange, constant, default, glorot_normal, glorot_truncated_normal, glorot_uniform, he_normal, he_truncated_normal, he_uniform, kaiming_normal, kaiming_truncated_normal, kaiming_uniform, lecun_normal, lecun_truncated_normal, lecun_uniform, log_arange, normal, ones, truncated_normal, uniform, values, variance_scaling, xavier_normal, xavier_truncated_normal, xavier_uniform, zeros
=== nothing for an init
tensors:
  w: {shape: [3, 3], init: }
-->
spec.yaml:2:28: tensors["w"].init: must be an initializer, or a table with its type; got null
  choices: arange, constant, default, glorot_normal, glorot_truncated_normal, glorot_uniform, he_normal, he_truncated_normal, he_uniform, kaiming_normal, kaiming_truncated_normal, kaiming_uniform, lecun_normal, lecun_truncated_normal, lecun_uniform, log_arange, normal, ones, truncated_normal, uniform, values, variance_scaling, xavier_normal, xavier_truncated_normal, xavier_uniform, zeros
=== an init without a type
tensors:
  w: {shape: [3, 3], init: {std: 1}}
-->
spec.yaml:2:28: tensors["w"].init: must have the key "type"
=== an empty init
tensors:
  w: {shape: [3, 3], init: {}}
-->
spec.yaml:2:28: tensors["w"].init: must have the key "type"
=== constant without a value
tensors:
  w: {shape: [3], init: constant}
-->
spec.yaml:2:25: tensors["w"].init: constant must have the key "value"
=== constant without a value, a table
tensors:
  w: {shape: [3], init: {type: constant}}
-->
spec.yaml:2:25: tensors["w"].init: constant must have the key "value"
=== zeros with a value
tensors:
  w: {shape: [3], init: {type: zeros, value: 1}}
-->
spec.yaml:2:39: tensors["w"].init.value: zeros does not take the key "value"
  hint: it takes no key but type
=== normal without a std
tensors:
  w: {shape: [3], init: normal}
-->
spec.yaml:2:25: tensors["w"].init: normal must have the key "std"
=== uniform with a std
tensors:
  w: {shape: [3], init: {type: uniform, bound: 1, std: 1}}
-->
spec.yaml:2:51: tensors["w"].init.std: uniform does not take the key "std"
  hint: it takes bound
=== glorot with a mode
tensors:
  w: {shape: [3, 3], init: {type: glorot_normal, mode: fan_in}}
-->
spec.yaml:2:50: tensors["w"].init.mode: glorot_normal does not take the key "mode"
  hint: it takes gain
=== variance_scaling alone
tensors:
  w: {shape: [3, 3], init: variance_scaling}
-->
spec.yaml:2:28: tensors["w"].init: variance_scaling must have the key "mode"
=== variance_scaling without a distribution
tensors:
  w: {shape: [3, 3], init: {type: variance_scaling, mode: fan_in}}
-->
spec.yaml:2:28: tensors["w"].init: variance_scaling must have the key "distribution"
=== an unknown mode
tensors:
  w: {shape: [3, 3], init: {type: variance_scaling, mode: fan_inn, distribution: normal}}
-->
spec.yaml:2:59: tensors["w"].init.mode: must be fan_avg, fan_in or fan_out; got "fan_inn"
  hint: did you mean "fan_in"?
=== an unknown distribution
tensors:
  w: {shape: [3, 3], init: {type: variance_scaling, mode: fan_in, distribution: norm}}
-->
spec.yaml:2:81: tensors["w"].init.distribution: must be normal, truncated_normal or uniform; got "norm"
  hint: did you mean "normal"?
=== an unknown gain
tensors:
  w: {shape: [3, 3], init: {type: he_normal, gain: leaky_rleu}}
-->
spec.yaml:2:52: tensors["w"].init.gain: must be a positive finite number or the name of a gain; got "leaky_rleu"
  hint: did you mean "leaky_relu"?
  choices: leaky_relu, linear, relu, selu, sigmoid, tanh
=== a gain of .nan
tensors:
  w: {shape: [3, 3], init: {type: he_normal, gain: .nan}}
-->
spec.yaml:2:52: tensors["w"].init.gain: must be a positive finite number or the name of a gain; got NaN
  choices: leaky_relu, linear, relu, selu, sigmoid, tanh
=== a gain of .inf
tensors:
  w: {shape: [3, 3], init: {type: he_normal, gain: .inf}}
-->
spec.yaml:2:52: tensors["w"].init.gain: must be a positive finite number or the name of a gain; got Infinity
  choices: leaky_relu, linear, relu, selu, sigmoid, tanh
=== a gain of 0
tensors:
  w: {shape: [3, 3], init: {type: he_normal, gain: 0}}
-->
spec.yaml:2:52: tensors["w"].init.gain: must be a positive finite number or the name of a gain; got 0
  choices: leaky_relu, linear, relu, selu, sigmoid, tanh
=== a gain of -1
tensors:
  w: {shape: [3, 3], init: {type: he_normal, gain: -1}}
-->
spec.yaml:2:52: tensors["w"].init.gain: must be a positive finite number or the name of a gain; got -1
  choices: leaky_relu, linear, relu, selu, sigmoid, tanh
=== a gain of true
tensors:
  w: {shape: [3, 3], init: {type: he_normal, gain: true}}
-->
spec.yaml:2:52: tensors["w"].init.gain: must be a positive finite number or the name of a gain; got true
  choices: leaky_relu, linear, relu, selu, sigmoid, tanh
=== a gain of "-2"
tensors:
  w: {shape: [3, 3], init: {type: he_normal, gain: "-2"}}
-->
spec.yaml:2:52: tensors["w"].init.gain: must be a positive finite number; got -2
=== a gain of 1e999
tensors:
  w: {shape: [3, 3], init: {type: he_normal, gain: 1e999}}
-->
spec.yaml:2:52: tensors["w"].init.gain: must be a positive finite number or the name of a gain; got Infinity
  choices: leaky_relu, linear, relu, selu, sigmoid, tanh
=== a std of 0
tensors:
  w: {shape: [3], init: {type: normal, std: 0}}
-->
spec.yaml:2:45: tensors["w"].init.std: must be a positive finite number; got 0
=== a std of -.inf
tensors:
  w: {shape: [3], init: {type: normal, std: -.inf}}
-->
spec.yaml:2:45: tensors["w"].init.std: must be a positive finite number; got -Infinity
=== a std of false
tensors:
  w: {shape: [3], init: {type: normal, std: false}}
-->
spec.yaml:2:45: tensors["w"].init.std: must be a positive finite number; got false
=== a std of relu
tensors:
  w: {shape: [3], init: {type: normal, std: relu}}
-->
spec.yaml:2:45: tensors["w"].init.std: must be a positive finite number; got "relu"
=== a bound of null
tensors:
  w: {shape: [3], init: {type: uniform, bound: }}
-->
spec.yaml:2:48: tensors["w"].init.bound: must be a positive finite number; got null
=== a value of .nan
tensors:
  w: {shape: [3], init: {type: constant, value: .nan}}
-->
spec.yaml:2:49: tensors["w"].init.value: must be a finite number, true or false; got NaN
=== a value of -1e999
tensors:
  w: {shape: [3], init: {type: constant, value: -1e999}}
-->
spec.yaml:2:49: tensors["w"].init.value: must be a finite number, true or false; got -Infinity
=== a value of "no"
tensors:
  w: {shape: [3], init: {type: constant, value: "no"}}
-->
spec.yaml:2:49: tensors["w"].init.value: must be a finite number, true or false; got "no"
=== a bad init of a rule
rules:
- match: "*"
  init: {type: normal, std: 0}
tensors:
  w: [3, 3]
-->
spec.yaml:3:29: rules[0].init.std: must be a positive finite number; got 0
=== Glorot on rank 0
tensors:
  w: []
-->
spec.yaml:2:6: tensors["w"]: glorot_uniform needs fans: two axes or more beside batch axes; got shape []
  hint: give it an init without fans, such as zeros, ones or {type: normal, std: 0.02}
=== Glorot on rank 1
tensors:
  w: [3]
-->
spec.yaml:2:6: tensors["w"]: glorot_uniform needs fans: two axes or more beside batch axes; got shape [3]
  hint: give it an init without fans, such as zeros, ones or {type: normal, std: 0.02}
=== Glorot on rank 1, its own
tensors:
  w: {init: glorot_normal, shape: [3]}
-->
spec.yaml:2:35: tensors["w"].shape: glorot_normal needs fans: two axes or more beside batch axes; got shape [3]
  hint: give it an init without fans, such as zeros, ones or {type: normal, std: 0.02}
=== Glorot on rank 1, by braces
tensors:
  "h.{2}.b": [3]
-->
spec.yaml:2:14: tensors["h.{2}.b"]: glorot_uniform needs fans: two axes or more beside batch axes; got shape [3] (tensor "h.0.b")
  hint: give it an init without fans, such as zeros, ones or {type: normal, std: 0.02}
=== he on rank 1, by a rule
rules:
- {match: "*", init: he_normal}
tensors:
  w: [3]
-->
spec.yaml:4:6: tensors["w"]: he_normal needs fans: two axes or more beside batch axes; got shape [3]
  hint: give it an init without fans, such as zeros, ones or {type: normal, std: 0.02}
=== fused that does not divide
tensors:
  w: {shape: [10, 3], fused: 3}
-->
spec.yaml:2:30: tensors["w"].fused: must divide the out axis; got 3 for 10 of shape [10, 3]
=== fused of 0
tensors:
  w: {shape: [10, 3], fused: 0}
-->
spec.yaml:2:30: tensors["w"].fused: must be a positive integer; got 0
=== fused of -1
tensors:
  w: {shape: [10, 3], fused: -1}
-->
spec.yaml:2:30: tensors["w"].fused: must be a positive integer; got -1
=== a boolean fused
tensors:
  w: {shape: [10, 3], fused: true}
-->
spec.yaml:2:30: tensors["w"].fused: must be an integer or an expression; got true
=== fused of an unknown dim
tensors:
  w: {shape: [10, 3], fused: k}
-->
spec.yaml:2:30: tensors["w"].fused: unknown dim "k"
  hint: dims is empty
=== fused by a rule
rules:
- {match: "h.*", fused: 3}
tensors:
  "h.{5..6}.w": [4, 4]
-->
spec.yaml:2:25: rules[0].fused: must divide the out axis; got 3 for 4 of shape [4, 4] (tensor "h.5.w")
=== an axis too high
tensors:
  w: {shape: [10, 3], in_axis: 2, out_axis: 0}
-->
spec.yaml:2:32: tensors["w"].in_axis: must be an axis from -2 to 1; got 2
=== an axis too low
tensors:
  w: {shape: [10, 3], in_axis: 0, out_axis: -3}
-->
spec.yaml:2:45: tensors["w"].out_axis: must be an axis from -2 to 1; got -3
=== an axis twice
tensors:
  w: {shape: [10, 3], in_axis: 0, out_axis: -2}
-->
spec.yaml:2:45: tensors["w"].out_axis: an axis must be named once; got -2, which is in in_axis already
=== an axis twice in a list
tensors:
  w: {shape: [10, 3, 3], batch_axis: [0, 0]}
-->
spec.yaml:2:38: tensors["w"].batch_axis: an axis must be named once; got 0, which is in batch_axis already
=== a constant that is lost by rounding
tensors:
  w: {shape: [64, 64], dtype: float8_e4m3fn, init: {type: constant, value: 0.0004}}
-->
spec.yaml:2:76: tensors["w"].init.value: must not round to zero everywhere; got 0.0004 in float8_e4m3fn, whose smallest number is 0.00195312
  hint: take a larger number, or a dtype with smaller ones
=== a law that is lost by rounding
defaults: {dtype: float16}
rules: [{match: "*", init: {type: uniform, bound: 1e-8}}]
tensors:
  w: [3]
-->
spec.yaml:2:28: rules[0].init: must not round to zero everywhere; got uniform ±1e-08 in float16, whose smallest number is 5.96046e-08 (tensor "w")
  hint: take a larger number, or a dtype with smaller ones
=== a boolean axis
tensors:
  w: {shape: [10, 3], in_axis: true, out_axis: 0}
-->
spec.yaml:2:32: tensors["w"].in_axis: must be an axis (an integer) or a list of axes; got true
=== a boolean in a list of axes
tensors:
  w: {shape: [10, 3], in_axis: [1], out_axis: [false]}
-->
spec.yaml:2:48: tensors["w"].out_axis[0]: must be an axis (an integer) or a list of axes; got false
=== a string as an axis
tensors:
  w: {shape: [10, 3], in_axis: "1", out_axis: 0}
-->
spec.yaml:2:32: tensors["w"].in_axis: must be an axis (an integer) or a list of axes; got "1"
=== in_axis alone
tensors:
  w: {shape: [10, 3], in_axis: 1}
-->
spec.yaml:2:23: tensors["w"].in_axis: in_axis and out_axis go together; out_axis is missing
=== a layout and axes
tensors:
  w: {shape: [10, 3], in_axis: 1, out_axis: 0, layout: out_in}
-->
spec.yaml:2:48: tensors["w"].layout: must have either layout or in_axis and out_axis; got both
=== no axes beside the batch
tensors:
  w: {shape: [10, 3], batch_axis: 0}
-->
spec.yaml:2:14: tensors["w"].shape: glorot_uniform needs fans: two axes or more beside batch axes; got shape [10, 3]
  hint: give it an init without fans, such as zeros, ones or {type: normal, std: 0.02}
=== a batch axis of a rule
rules:
- {match: "*", batch_axis: 5}
tensors:
  w: [10, 3]
-->
spec.yaml:2:28: rules[0].batch_axis: must be an axis from -2 to 1; got 5 (tensor "w")
=== a law over float16
tensors:
  w: {shape: [3], dtype: float16, init: {type: normal, std: 20000}}
-->
spec.yaml:2:41: tensors["w"].init: must fit float16, whose largest number is 65504; got values up to 128000 (normal std 20000)
=== a law over float8
tensors:
  w: {shape: [1, 1], dtype: float8_e4m3fn, init: {type: glorot_uniform, gain: 1000}}
-->
spec.yaml:2:50: tensors["w"].init: must fit float8_e4m3fn, whose largest number is 448; got values up to 1732.05 (uniform ±1732.05)
=== a law over float64
tensors:
  w: {shape: [1], dtype: float64, init: {type: normal, std: 1e308}}
-->
spec.yaml:2:41: tensors["w"].init: must fit float64, whose largest number is 1.79769e+308; got values up to inf (normal std 1e+308)
=== a law over the dtype of a rule
rules:
- {match: w, dtype: float16}
tensors:
  w: {shape: [1], init: {type: uniform, bound: 70000}}
-->
spec.yaml:4:25: tensors["w"].init: must fit float16, whose largest number is 65504; got values up to 70000 (uniform ±70000)
=== a constant over float8
tensors:
  w: {shape: [3], dtype: float8_e4m3fn, init: {type: constant, value: 449}}
-->
spec.yaml:2:71: tensors["w"].init.value: must fit float8_e4m3fn, whose largest number is 448; got 449
=== a constant over uint8
tensors:
  w: {shape: [3], dtype: uint8, init: {type: constant, value: 256}}
-->
spec.yaml:2:63: tensors["w"].init.value: must be an integer from 0 to 255 for uint8; got 256
=== a constant below uint8
tensors:
  w: {shape: [3], dtype: uint8, init: {type: constant, value: -1}}
-->
spec.yaml:2:63: tensors["w"].init.value: must be an integer from 0 to 255 for uint8; got -1
=== a constant over int32
tensors:
  w: {shape: [3], dtype: int32, init: {type: constant, value: 2147483648}}
-->
spec.yaml:2:63: tensors["w"].init.value: must be an integer from -2147483648 to 2147483647 for int32; got 2147483648
=== a constant over bool
tensors:
  w: {shape: [3], dtype: bool, init: {type: constant, value: 2}}
-->
spec.yaml:2:62: tensors["w"].init.value: must be an integer from 0 to 1 for bool; got 2
=== a fractional constant
tensors:
  w: {shape: [3], dtype: int64, init: {type: constant, value: 0.5}}
-->
spec.yaml:2:63: tensors["w"].init.value: must be an integer from -9223372036854775808 to 9223372036854775807 for int64; got 0.5
=== Glorot in int64
defaults: {dtype: int64}
tensors:
  w: [3, 3]
-->
spec.yaml:3:6: tensors["w"]: int64 takes constants only (zeros, ones, constant, arange, values); got uniform ±1
=== normal in bool
tensors:
  w: {shape: [3, 3], dtype: bool, init: {type: normal, std: 1}}
-->
spec.yaml:2:41: tensors["w"].init: bool takes constants only (zeros, ones, constant, arange, values); got normal std 1
=== one name twice
tensors:
  "a.{2}": [3, 3]
  a.1: [3, 3]
-->
spec.yaml:3:3: tensors["a.1"]: two tensors must not have one name; got "a.1", also from "a.{2}"
=== one name twice, of one key
tensors:
  "a.{x,x}": [3, 3]
-->
spec.yaml:2:3: tensors["a.{x,x}"]: two tensors must not have one name; got "a.x", also from "a.{x,x}"
=== an empty name
tensors:
  "": [3, 3]
-->
spec.yaml:2:3: tensors[""]: the name of a tensor must not be empty, hold a NUL or be __metadata__; got ""
=== an empty name by braces
tensors:
  "{w,}": [3, 3]
-->
spec.yaml:2:3: tensors["{w,}"]: the name of a tensor must not be empty, hold a NUL or be __metadata__; got ""
=== the name of the metadata
tensors:
  __metadata__: [3, 3]
-->
spec.yaml:2:3: tensors["__metadata__"]: the name of a tensor must not be empty, hold a NUL or be __metadata__; got "__metadata__"
=== an open brace
tensors:
  "h.{n": [3, 3]
-->
spec.yaml:2:3: tensors["h.{n"]: a brace must be closed; got "h.{n"
  hint: write {{ or }} for a literal brace
=== a stray brace
tensors:
  h.n}: [3, 3]
-->
spec.yaml:2:3: tensors["h.n}"]: a brace must be closed; got "h.n}"
  hint: write {{ or }} for a literal brace
=== nested braces
tensors:
  "h.{a{b}}": [3, 3]
-->
spec.yaml:2:3: tensors["h.{a{b}}"]: a brace must be closed; got "h.{a{b}}"
  hint: write {{ or }} for a literal brace
=== a brace of an unknown dim
dims: {blocks: 2}
tensors:
  "h.{block}.w": [3, 3]
-->
spec.yaml:3:3: tensors["h.{block}.w"]: brace {block}: unknown dim "block"
  hint: did you mean "blocks"?
=== a backward range
tensors:
  "h.{5..2}.w": [3, 3]
-->
spec.yaml:2:3: tensors["h.{5..2}.w"]: a brace must be {n} with n of at least 0, or {a..b} with 0 ≤ a ≤ b; got {5..2} in "h.{5..2}.w"
=== a negative brace
tensors:
  "h.{-1}.w": [3, 3]
-->
spec.yaml:2:3: tensors["h.{-1}.w"]: a brace must be {n} with n of at least 0, or {a..b} with 0 ≤ a ≤ b; got {-1} in "h.{-1}.w"
=== an empty brace
tensors:
  "h.{}.w": [3, 3]
-->
spec.yaml:2:3: tensors["h.{}.w"]: brace {}: must be an integer expression (integers, dims, + - * // and parentheses); got ""
=== too many names
tensors:
  "{99999999}.{99999999}": [3, 3]
-->
spec.yaml:2:3: tensors: must be at most 1,000,000 tensors; got 9999999800000001
=== a stream of a foreign brace
tensors:
  w: {shape: [3, 3], stream: "x.{n}"}
-->
spec.yaml:2:30: tensors["w"].stream: a brace must be one of the name's own; got {n} in "x.{n}"
  hint: write {{ and }} for literal braces
=== a stream of a foreign brace, by a rule
rules:
- {match: "*", stream: "x.{2}"}
tensors:
  "h.{2}.w": [3, 3]
  v: [3, 3]
-->
spec.yaml:2:24: rules[0].stream: a brace must be one of the name's own; got {2} in "x.{2}" (tensor "v")
  hint: write {{ and }} for literal braces
=== a stream of an open brace
tensors:
  w: {shape: [3, 3], stream: "x.{"}
-->
spec.yaml:2:30: tensors["w"].stream: a brace must be closed; got "x.{"
  hint: write {{ or }} for a literal brace
=== a number for a stream
tensors:
  w: {shape: [3, 3], stream: 5}
-->
spec.yaml:2:30: tensors["w"].stream: must be a string; got 5
=== a tie to nothing
tensors:
  wte.weight: [3, 3]
  head: {tied: wte.wieght}
-->
spec.yaml:3:16: tensors["head"].tied: must be the name of a tensor; got "wte.wieght"
  hint: did you mean "wte.weight"?
=== a tie to nothing, through a chain
tensors:
  a: {tied: b}
  b: {tied: nowhere}
-->
spec.yaml:3:13: tensors["b"].tied: must be the name of a tensor; got "nowhere"
=== a tie to itself
tensors:
  a: {tied: a}
-->
spec.yaml:2:13: tensors["a"].tied: ties must not go in a circle; got "a" → "a"
=== ties in a circle
tensors:
  x: {tied: a}
  a: {tied: b}
  b: {tied: a}
-->
spec.yaml:3:13: tensors["a"].tied: ties must not go in a circle; got "a" → "b" → "a"
=== a tie with a shape
tensors:
  a: [3, 3]
  b: {tied: a, shape: [3, 3]}
-->
spec.yaml:3:16: tensors["b"].shape: tied takes no other key; got "shape" too
=== a tie with an init
tensors:
  a: [3, 3]
  b: {init: zeros, tied: a}
-->
spec.yaml:3:7: tensors["b"].init: tied takes no other key; got "init" too
=== a tie of a rule with a shape
rules:
- {match: b, tied: a}
tensors:
  a: [3, 3]
  b: [3, 3]
-->
spec.yaml:5:3: tensors["b"]: tied takes no other key; got "shape" too (tied by rules[0].tied)
=== a tie of a rule with a dtype
rules:
- {match: b, tied: a}
tensors:
  a: [3, 3]
  b: {dtype: float16}
-->
spec.yaml:5:7: tensors["b"].dtype: tied takes no other key; got "dtype" too (tied by rules[0].tied)
=== a rule with a tie and an init
rules:
- {match: b, tied: a, init: zeros}
tensors:
  a: [3, 3]
  b: {}
-->
spec.yaml:2:23: rules[0].init: tied takes no other key; got "init" too
=== a tie of a foreign brace
tensors:
  a: [3, 3]
  "b.{2}": {tied: "a.{3}"}
-->
spec.yaml:3:19: tensors["b.{2}"].tied: a brace must be one of the name's own; got {3} in "a.{3}"
  hint: write {{ and }} for literal braces
=== no space after a colon
tensors:
  w:[3, 4]
-->
spec.yaml:2:3: tensors: must be a mapping; got "w:[3, 4]"
  hint: YAML needs a space after the colon, as in w: [3, 4]
=== a division that is no integer's
dims: {d: 2}
tensors:
  w: [d/2, 3]
-->
spec.yaml:3:7: tensors["w"][0]: must be an integer expression (integers, dims, + - * // and parentheses); got "d/2" at "/"
  hint: integers are divided by //
=== a number for an init
tensors:
  w: {shape: [3], init: 0}
-->
spec.yaml:2:25: tensors["w"].init: must be an initializer, or a table with its type; got 0
  hint: did you mean zeros?
  choices: arange, constant, default, glorot_normal, glorot_truncated_normal, glorot_uniform, he_normal, he_truncated_normal, he_uniform, kaiming_normal, kaiming_truncated_normal, kaiming_uniform, lecun_normal, lecun_truncated_normal, lecun_uniform, log_arange, normal, ones, truncated_normal, uniform, values, variance_scaling, xavier_normal, xavier_truncated_normal, xavier_uniform, zeros
=== shapes of other languages
dims: {d: 3}
tensors:
  a: (3, d)
  b: 3, 4
  c: {shape: "3x4"}
  d: {shape: (3, 4)}
-->
spec.yaml:3:6: tensors["a"]: must be a list of dimensions or a table; got "(3, d)"
  hint: a shape is a list: [3, d]
spec.yaml:4:6: tensors["b"]: must be a list of dimensions or a table; got "3, 4"
  hint: a shape is a list: [3, 4]
spec.yaml:5:14: tensors["c"].shape: must be a list of dimensions; got "3x4"
  hint: a shape is a list: [3, 4]
spec.yaml:6:14: tensors["d"].shape: must be a list of dimensions; got "(3"
  hint: a shape is a list, as in [3, 4]
=== a list of names
tensors:
- w: [3, 4]
-->
spec.yaml:2:1: tensors: must be a mapping; got [{"w": [3, 4]}]
  hint: write the names without dashes before them
=== layers under tensors
tensors:
- {name: fc, type: dense, in: 3, out: 4}
-->
spec.yaml:2:1: tensors: must be a mapping; got [{"name": "fc", "type": "dense", "in": 3, "out": 4}]
  hint: a list of layers stands under layers
=== all that is wrong with a spec
seed: -1
dim: {d: 3}
rules:
- {mtach: "*"}
tensors:
  w: {shape: [3], dtpye: half, inti: zeros}
  v: [-1]
layers:
- {name: a, type: relu}
-->
spec.yaml:1:7: seed: must be an integer from 0 to 2⁶⁴−1; got -1
spec.yaml:2:1: dim: unknown key "dim"
  hint: did you mean "dims"?
spec.yaml:4:4: rules[0].mtach: unknown key "mtach"
  hint: did you mean "match"?
spec.yaml:6:19: tensors["w"].dtpye: unknown key "dtpye"
  hint: did you mean "dtype"?
spec.yaml:6:32: tensors["w"].inti: unknown key "inti"
  hint: did you mean "init"?
spec.yaml:7:7: tensors["v"][0]: must be a positive integer or zero; got -1
spec.yaml:9:19: layers[0].type: must be a type of layer; got "relu"
  hint: it has no weights: leave it out
  choices: batch_norm, conv1d, conv2d, conv3d, conv_transpose2d, dense, depthwise_conv2d, embedding, gru, layer_norm, lstm, multi_head_attention, rms_norm
=== laws that do not fit
tensors:
  a: [3]
  b: {shape: [3], dtype: int32, init: {type: normal, std: 1}}
-->
spec.yaml:2:6: tensors["a"]: glorot_uniform needs fans: two axes or more beside batch axes; got shape [3]
  hint: give it an init without fans, such as zeros, ones or {type: normal, std: 0.02}
spec.yaml:3:39: tensors["b"].init: int32 takes constants only (zeros, ones, constant, arange, values); got normal std 1
=== a number for a tie
tensors:
  a: {tied: 5}
-->
spec.yaml:2:13: tensors["a"].tied: must be a string; got 5
"""


ROWS = read_table(TABLE)


@pytest.mark.parametrize("title", ROWS)
def test_bad_spec(title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    spec, message = ROWS[title]
    Path("spec.yaml").write_text(spec, encoding="utf-8")
    with pytest.raises(xavinit.SpecError) as caught:
        xavinit.make_plan("spec.yaml")
    assert str(caught.value) == message


@pytest.mark.parametrize("title", ROWS)
def test_the_same_data_is_refused_with_the_same_words(title: str) -> None:
    spec, message = ROWS[title]
    data = parse_document(spec.encode(), "spec.yaml").data
    if not isinstance(data, dict):
        return
    with pytest.raises(xavinit.SpecError) as caught:
        xavinit.make_plan(data)
    told = re.sub(r"^spec\.yaml:\d+:\d+: ", "spec: ", message, flags=re.M)
    # Data has no lines to be sorted by.
    assert sorted(str(caught.value).splitlines()) == sorted(told.splitlines())


# What YAML cannot say, or messages cannot show as it is.
@pytest.mark.parametrize(
    ("content", "place", "fact"),
    [
        (
            r'{"tensors": {"\ud800": [3, 3]}}',
            (1, 14),
            r"a string must not hold a lone surrogate; got '\ud800'",
        ),
        (
            r'{"tensors": {"w": {"shape": [3, 3], "stream": "\udfff"}}}',
            (1, 47),
            r"a string must not hold a lone surrogate; got '\udfff'",
        ),
        (
            r'{"tensors": {"a\u0000b": [3, 3]}}',
            (1, 14),
            "the name of a tensor must not be empty, hold a NUL or be __metadata__; "
            r'got "a\u0000b"',
        ),
        (
            '{"tensors": {"w": {"shape": [3], "init": {"type": "constant", "value": 1'
            + "0" * 400
            + "}}}}",
            (1, 72),
            "must be a finite number, true or false; got an integer of 1329 bits",
        ),
        (
            '{"tensors": {"w": [3, 3]}, "seed": 1e400}',
            (1, 36),
            "must be an integer from 0 to 2⁶⁴−1; got Infinity",
        ),
    ],
)
def test_bad_json(content: str, place: tuple[int, int], fact: str, tmp_path: Path) -> None:
    path = tmp_path / "spec.json"
    path.write_text(content)
    with pytest.raises(xavinit.SpecError) as caught:
        xavinit.make_plan(path)
    error = caught.value
    assert (error.source, (error.line, error.column), error.fact) == (str(path), place, fact)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("s.yaml", b"%PDF-1.7\n\x80", "s.yaml: a spec must be YAML or JSON; this is a PDF"),
        ("s.yaml", b"\x1f\x8b\x08", "s.yaml: a spec must be YAML or JSON; this is a gzip file"),
        ("s.pt", b"\x80\x02}q", "s.pt: a spec must be YAML or JSON; this is a pickle, as old .pt"),
        ("s", b"PK\x03\x04", "s: a spec must be YAML or JSON; this is a zip archive, as .pt, .npz"),
        ("s.toml", b"[tensors]\nw = [3, 4]\n", "s.toml:1:1: a spec must be YAML or JSON; this lo"),
        ("s", b"# x\nseed = 4\n", "s:2:1: a spec must be YAML or JSON; this looks like TOML"),
        ("s", b"tensors: {w:[3]}", "s:1:12: not valid YAML: found unexpected ':'"),
    ],
)
def test_what_is_no_spec_is_named(name: str, content: bytes, message: str) -> None:
    with pytest.raises(xavinit.SpecError) as caught:
        parse_document(content, name)
    assert str(caught.value).startswith(message)


def test_ten_errors_are_enough() -> None:
    with pytest.raises(xavinit.SpecError) as caught:
        xavinit.make_plan({"tensors": {f"w{n}": [-1] for n in range(50)}})
    assert len(caught.value.errors) == 10
    assert caught.value.errors[0] is caught.value


def test_one_cause_that_many_tensors_meet_is_one_error() -> None:
    rule = {"match": "*", "fused": 7}
    with pytest.raises(xavinit.SpecError) as caught:
        xavinit.make_plan({"rules": [rule], "tensors": {f"w{n}": [3, 3] for n in range(200)}})
    assert len(caught.value.errors) == 1


@pytest.mark.parametrize(
    ("line", "width", "shown"),
    [
        ("  w: [3, -1]", 80, ["  2 |   w: [3, -1]", "    |          ^"]),
        ("  层: [3, -1]", 80, ["  2 |   层: [3, -1]", "    |           ^"]),
        ("  w: [" + "3, " * 20 + "-1]", 30, []),
        ("  w: [-1" + ", 3" * 20 + "]", 30, []),
    ],
)
def test_a_terminal_shows_the_line(line: str, width: int, shown: list[str]) -> None:
    document = parse_document(f"tensors:\n{line}\n".encode(), "s.yaml")
    with pytest.raises(xavinit.SpecError) as caught, document.locating():
        resolve_spec(document.data)
    lines = format_error(caught.value, width).splitlines()[1:3]
    if width == 30:
        assert all(len(text) <= width for text in lines)
        caret = lines[1].index("^")
        assert lines[0][caret : caret + 2] == "-1"
    else:
        assert lines == shown


# --- The command line: exit code 3, one message, nothing written -----------------------------


def run(*arguments: str, cwd: Path, stdin: str = "") -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "xavinit", *arguments],
        cwd=cwd,
        input=stdin.encode(),
        capture_output=True,
        check=False,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize(
    "title",
    [
        "a negative dimension",
        "powers",
        "an unknown dtype",
        "a circle of dims",
        "a tensor beyond any float",
        "Glorot on rank 1, by braces",
        "a law over float16",
        "too many names",
        "ties in a circle",
    ],
)
def test_generate_refuses_a_bad_spec(title: str, tmp_path: Path) -> None:
    spec, message = ROWS[title]
    (tmp_path / "spec.yaml").write_text(spec, encoding="utf-8")
    answer = run("generate", "spec.yaml", "-o", "out.safetensors", cwd=tmp_path)
    assert answer == (3, "", f"{message}\n")
    assert [path.name for path in tmp_path.iterdir()] == ["spec.yaml"]


def test_plan_refuses_a_bad_spec(tmp_path: Path) -> None:
    spec, message = ROWS["an unknown dim"]
    (tmp_path / "spec.yaml").write_text(spec)
    assert run("plan", "spec.yaml", cwd=tmp_path) == (3, "", f"{message}\n")


def test_a_bad_spec_on_standard_input(tmp_path: Path) -> None:
    spec, message = ROWS["fused that does not divide"]
    answer = run("generate", "-", "-o", "out.safetensors", cwd=tmp_path, stdin=spec)
    assert answer == (3, "", message.replace("spec.yaml", "<stdin>") + "\n")
    answer = run("plan", "-", cwd=tmp_path, stdin="[" * 100_000)
    assert answer == (3, "", "<stdin>:1:65: [0][0][0][0]: must be nested at most 64 deep\n")
    assert list(tmp_path.iterdir()) == []
