"""A small product with simulated users whose truth is known; nothing outside this room reads that truth.

`world` says who the users are, `texts` what is asked and how answers are put together, `tastes` what each segment
secretly wants, `people` what a person does with an answer, `talk` in which words they say something of it. `product` is
what the product does around its model, `logged` what of all this stands in the log and what in the truth. `base` trains
the model that the product starts with, `week` plays a week with it and writes its log, `by_chance` plays one without a
model, `truth` tells how satisfied people really were. Only `base` and `week` need torch.
"""
