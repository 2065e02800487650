"""A small product with simulated users whose truth is known; nothing outside this room reads that truth.

`world` says who the users are, `texts` what is asked and how answers are put together, `tastes` what each segment
secretly wants, `people` what a person does with an answer. `base` trains the model that the product starts with, `week`
plays a week and writes its log, `truth` tells how satisfied people really were. Only `base` and `week` need torch.
"""
