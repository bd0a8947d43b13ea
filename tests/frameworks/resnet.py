"""torchvision's ResNet-50 as a module: the same names and shapes, without the package.

torchvision has no build for the CPU alone; its resnet.py (BSD 3-Clause) is the model for the
structure: Bottleneck blocks with the stride on the 3×3 convolution, in four layers.
"""

from __future__ import annotations

from typing import Any


def make_resnet50(torch: Any, width: int = 64, classes: int = 1000) -> Any:
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

    class ResNet(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.bn1 = conv(3, width, 7, 2), nn.BatchNorm2d(width)
            self.maxpool = nn.MaxPool2d(3, 2, 1)
            inputs = width
            for number, blocks in enumerate((3, 4, 6, 3)):
                planes = width << number
                layer = nn.Sequential()
                for block in range(blocks):
                    stride = 2 if block == 0 and number else 1
                    layer.append(Bottleneck(inputs, planes, stride))
                    inputs = 4 * planes
                setattr(self, f"layer{number + 1}", layer)
            self.fc = nn.Linear(inputs, classes)

        def forward(self, x: Any) -> Any:
            x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
            x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
            return self.fc(x.mean((2, 3)))

    return ResNet()
