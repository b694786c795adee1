"""The provider `onnx.detector`: a model file of your own, its outputs mapped to the policy's fields.

```yaml
own:
  provider: onnx.detector
  with:
    model: /srv/models/forgery.onnx                             # relative: from the process's working directory
    sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08     # another file is refused
    threads: 1                                                  # for one picture
    input: {size: [224, 224], layout: nchw, colour: rgb, resize: crop,
            scale: 255, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}
    outputs:
      forgery: {output: logits, index: 1, activation: softmax}
      liveness: {output: 1, activation: sigmoid}                # the second output, which has one value
      kind: {output: kinds, labels: [real, print, screen]}      # the label of the largest
  fields:
    forgery: {type: double, range: [0, 1], riskier: higher}
    liveness: {type: double, range: [0, 1], riskier: lower}
    kind: {type: enum, values: [real, print, screen]}
```

Needs `pip install "adjudge[onnx]"`, and runs on the CPU. How a picture becomes a tensor, and what fails how, stands in
`docs/onnx.md`.
"""

from __future__ import annotations

from adjudge.plugin import Register, hookimpl


@hookimpl
def register(register: Register) -> None:
    """Offer the provider."""
    from adjudge_plugins.onnx_detector.provider import ONNX_DETECTOR

    register.provider(ONNX_DETECTOR)
