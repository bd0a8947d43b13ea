"""The samples of sequences as users build them in each framework: a tagger, an encoder."""

from __future__ import annotations

from typing import Any

EPSILON = 1e-5

# --- The tagger ------------------------------------------------------------------------------


def make_torch_tagger(torch: Any, vocab: int, d: int, hidden: int, tags: int) -> Any:
    nn = torch.nn

    class Tagger(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(vocab, d)
            self.rnn = nn.LSTM(d, hidden, 2, batch_first=True, bidirectional=True)
            self.tags = nn.Linear(2 * hidden, tags)

        def forward(self, words: Any) -> Any:
            return self.tags(self.rnn(self.embed(words))[0])

    return Tagger()


def make_keras_tagger(keras: Any, vocab: int, d: int, hidden: int, tags: int) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            layers.Embedding(vocab, d),
            layers.Bidirectional(layers.LSTM(hidden, return_sequences=True)),
            layers.Bidirectional(layers.LSTM(hidden, return_sequences=True)),
            layers.Dense(tags),
        ]
    )


def make_flax_tagger(linen: Any, vocab: int, d: int, hidden: int, tags: int) -> Any:
    class Tagger(linen.Module):  # type: ignore[misc, name-defined]
        def setup(self) -> None:
            self.embed = linen.Embed(vocab, d)
            self.rnn = [
                linen.Bidirectional(
                    linen.RNN(linen.LSTMCell(hidden)), linen.RNN(linen.LSTMCell(hidden))
                )
                for _ in range(2)
            ]
            self.tags = linen.Dense(tags)

        def __call__(self, words: Any) -> Any:
            x = self.embed(words)
            for layer in self.rnn:
                x = layer(x)
            return self.tags(x)

    return Tagger()


# --- The encoder -----------------------------------------------------------------------------


def make_torch_encoder(
    torch: Any, vocab: int, ctx: int, d: int, heads: int, ff: int, blocks: int
) -> Any:
    nn = torch.nn

    class Encoder(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            layer = nn.TransformerEncoderLayer(d, heads, ff, batch_first=True)
            self.embed, self.positions = nn.Embedding(vocab, d), nn.Embedding(ctx, d)
            self.encoder = nn.TransformerEncoder(layer, blocks)
            self.head = nn.Linear(d, vocab)

        def forward(self, words: Any) -> Any:
            x = self.embed(words) + self.positions(torch.arange(words.shape[1]))
            return self.head(self.encoder(x))

    return Encoder()


def make_keras_encoder(
    keras: Any, vocab: int, ctx: int, d: int, heads: int, ff: int, blocks: int
) -> Any:
    layers, length = keras.layers, ctx
    words = keras.Input((length,), dtype="int32")
    numbers = keras.Input((length,), dtype="int32")
    x = layers.Embedding(vocab, d)(words)
    x = layers.Add()([x, layers.Embedding(ctx, d)(numbers)])
    for _ in range(blocks):
        y = layers.MultiHeadAttention(heads, d // heads)(x, x)
        y = z = layers.LayerNormalization(epsilon=EPSILON)(layers.Add()([x, y]))
        z = layers.Dense(d)(layers.Dense(ff, activation="relu")(z))
        x = layers.LayerNormalization(epsilon=EPSILON)(layers.Add()([y, z]))
    return keras.Model([words, numbers], layers.Dense(vocab)(x))


def make_flax_encoder(
    linen: Any, vocab: int, ctx: int, d: int, heads: int, ff: int, blocks: int
) -> Any:
    class Block(linen.Module):  # type: ignore[misc, name-defined]
        def setup(self) -> None:
            self.self_attn = linen.MultiHeadDotProductAttention(heads)
            self.linear1, self.linear2 = linen.Dense(ff), linen.Dense(d)
            self.norm1, self.norm2 = (linen.LayerNorm(epsilon=EPSILON) for _ in range(2))

        def __call__(self, x: Any) -> Any:
            x = self.norm1(x + self.self_attn(x))
            return self.norm2(x + self.linear2(linen.relu(self.linear1(x))))

    class Blocks(linen.Module):  # type: ignore[misc, name-defined]
        def setup(self) -> None:
            self.layers = [Block() for _ in range(blocks)]

        def __call__(self, x: Any) -> Any:
            for layer in self.layers:
                x = layer(x)
            return x

    class Encoder(linen.Module):  # type: ignore[misc, name-defined]
        def setup(self) -> None:
            self.embed, self.positions = linen.Embed(vocab, d), linen.Embed(ctx, d)
            self.encoder, self.head = Blocks(), linen.Dense(vocab)

        def __call__(self, words: Any, numbers: Any) -> Any:
            return self.head(self.encoder(self.embed(words) + self.positions(numbers)))

    return Encoder()
