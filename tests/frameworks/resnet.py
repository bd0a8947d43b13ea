"""torchvision's ResNets as modules: the same names and shapes, without the package.

torchvision has no build for the CPU alone; its resnet.py (BSD 3-Clause) is the model for the
structure: in four layers, Bottleneck blocks with the stride on the 3×3 convolution (ResNet-50), or
BasicBlocks (ResNet-18). ResNet-18 in Keras and Flax as well, as users of these would write it.
"""

from __future__ import annotations

from functools import partial
from typing import Any

EPSILON = 1e-5  # PyTorch's of BatchNorm; Keras's own is 1e-3


def make_resnet50(torch: Any, width: int = 64, classes: int = 1000) -> Any:
    return _make_resnet(torch, (3, 4, 6, 3), width, classes, wide=True)


def make_resnet18(torch: Any, width: int = 64, classes: int = 1000) -> Any:
    return _make_resnet(torch, (2, 2, 2, 2), width, classes, wide=False)


def _make_resnet(
    torch: Any, counts: tuple[int, ...], width: int, classes: int, *, wide: bool
) -> Any:
    nn = torch.nn

    def conv(inputs: int, outputs: int, size: int, stride: int = 1) -> Any:
        return nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)

    class Bottleneck(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self, inputs: int, planes: int, stride: int) -> None:
            super().__init__()
            self.conv1, self.bn1 = conv(inputs, planes, 1), nn.BatchNorm2d(planes)
            self.conv2, self.bn2 = conv(planes, planes, 3, stride), nn.BatchNorm2d(planes)
            self.conv3, self.bn3 = conv(planes, 4 * planes, 1), nn.BatchNorm2d(4 * planes)
            if stride != 1 or inputs != 4 * planes:
                self.downsample = nn.Sequential(
                    conv(inputs, 4 * planes, 1, stride), nn.BatchNorm2d(4 * planes)
                )
            else:
                self.downsample = nn.Identity()

        def forward(self, x: Any) -> Any:
            y = torch.relu(self.bn1(self.conv1(x)))
            y = torch.relu(self.bn2(self.conv2(y)))
            return torch.relu(self.bn3(self.conv3(y)) + self.downsample(x))

    class BasicBlock(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self, inputs: int, planes: int, stride: int) -> None:
            super().__init__()
            self.conv1, self.bn1 = conv(inputs, planes, 3, stride), nn.BatchNorm2d(planes)
            self.conv2, self.bn2 = conv(planes, planes, 3), nn.BatchNorm2d(planes)
            if stride != 1 or inputs != planes:
                self.downsample = nn.Sequential(
                    conv(inputs, planes, 1, stride), nn.BatchNorm2d(planes)
                )
            else:
                self.downsample = nn.Identity()

        def forward(self, x: Any) -> Any:
            y = torch.relu(self.bn1(self.conv1(x)))
            return torch.relu(self.bn2(self.conv2(y)) + self.downsample(x))

    make_block, factor = (Bottleneck, 4) if wide else (BasicBlock, 1)

    class ResNet(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.bn1 = conv(3, width, 7, 2), nn.BatchNorm2d(width)
            self.maxpool = nn.MaxPool2d(3, 2, 1)
            inputs = width
            for number, blocks in enumerate(counts):
                planes = width << number
                layer = nn.Sequential()
                for block in range(blocks):
                    stride = 2 if block == 0 and number else 1
                    layer.append(make_block(inputs, planes, stride))
                    inputs = factor * planes
                setattr(self, f"layer{number + 1}", layer)
            self.fc = nn.Linear(inputs, classes)

        def forward(self, x: Any) -> Any:
            x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
            x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
            return self.fc(x.mean((2, 3)))

    return ResNet()


def make_keras_resnet18(keras: Any, size: int, width: int, classes: int) -> Any:
    layers = keras.layers

    def conv(x: Any, outputs: int, kernel: int, stride: int = 1) -> Any:
        x = layers.ZeroPadding2D(kernel // 2)(x)
        return layers.Conv2D(outputs, kernel, stride, use_bias=False)(x)

    def norm(x: Any) -> Any:
        return layers.BatchNormalization(epsilon=EPSILON)(x)

    def block(x: Any, planes: int, stride: int) -> Any:
        y = layers.ReLU()(norm(conv(x, planes, 3, stride)))
        y = norm(conv(y, planes, 3))
        if stride != 1:
            x = norm(conv(x, planes, 1, stride))
        return layers.ReLU()(layers.Add()([y, x]))

    inputs = keras.Input((size, size, 3))
    x = layers.ReLU()(norm(conv(inputs, width, 7, 2)))
    # padded by zeros, which no number after a relu lies below
    x = layers.MaxPooling2D(3, 2)(layers.ZeroPadding2D(1)(x))
    for number in range(4):
        x = block(x, width << number, 2 if number else 1)
        x = block(x, width << number, 1)
    x = layers.Dense(classes)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, x)


def make_flax_resnet18(linen: Any, width: int, classes: int) -> Any:
    norm = partial(linen.BatchNorm, use_running_average=True, epsilon=EPSILON)

    def conv(outputs: int, size: int, stride: int = 1) -> Any:
        return linen.Conv(
            outputs, (size, size), stride, [(size // 2, size // 2)] * 2, use_bias=False
        )

    class Block(linen.Module):  # type: ignore[misc, name-defined]
        planes: int
        stride: int

        def setup(self) -> None:
            self.conv1, self.bn1 = conv(self.planes, 3, self.stride), norm()
            self.conv2, self.bn2 = conv(self.planes, 3), norm()
            if self.stride != 1:
                self.downsample = [conv(self.planes, 1, self.stride), norm()]

        def __call__(self, x: Any) -> Any:
            y = self.bn2(self.conv2(linen.relu(self.bn1(self.conv1(x)))))
            if self.stride != 1:
                for layer in self.downsample:
                    x = layer(x)
            return linen.relu(y + x)

    class ResNet(linen.Module):  # type: ignore[misc, name-defined]
        def setup(self) -> None:
            self.conv1, self.bn1 = conv(width, 7, 2), norm()
            self.layer1 = [Block(width, 1), Block(width, 1)]
            self.layer2 = [Block(2 * width, 2), Block(2 * width, 1)]
            self.layer3 = [Block(4 * width, 2), Block(4 * width, 1)]
            self.layer4 = [Block(8 * width, 2), Block(8 * width, 1)]
            self.fc = linen.Dense(classes)

        def __call__(self, x: Any) -> Any:
            x = linen.relu(self.bn1(self.conv1(x)))
            x = linen.max_pool(x, (3, 3), (2, 2), [(1, 1), (1, 1)])
            for block in (*self.layer1, *self.layer2, *self.layer3, *self.layer4):
                x = block(x)
            return self.fc(x.mean((1, 2)))

    return ResNet()
