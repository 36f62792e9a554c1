"""Wrong answers to the exercises of vision/semantic-segmentation."""

import torch


def table(prediction, target, classes):
    """Counts of (target, prediction)."""
    pairs = classes * target.long() + prediction.long()
    return torch.bincount(pairs.flatten(), minlength=classes**2).view(classes, classes)


def shares(counts):
    """The IoU of each class."""
    common = counts.diag()
    return common / (counts.sum(dim=0) + counts.sum(dim=1) - common)


def iou_without__nothing_left_out(prediction, target, classes, ignore):
    """Turns the pixels without a label into class 0."""
    return shares(table(prediction, torch.where(target == ignore, 0, target), classes))


def iou_without__the_prediction_decides(prediction, target, classes, ignore):
    """Leaves out what is predicted as `ignore`."""
    kept = (prediction != ignore) & (target < classes)
    return shares(table(prediction[kept], target[kept], classes))


def iou_without__both_decide(prediction, target, classes, ignore):
    """Leaves out a pixel if either of the two is `ignore`."""
    kept = (prediction != ignore) & (target != ignore)
    return shares(table(prediction[kept], target[kept], classes))


def iou_without__absent_is_zero(prediction, target, classes, ignore):
    """Gives 0 to a class that is nowhere."""
    kept = target != ignore
    return shares(table(prediction[kept], target[kept], classes)).nan_to_num(0)


def iou_without__absent_is_perfect(prediction, target, classes, ignore):
    """Gives 1 to a class that is nowhere."""
    kept = target != ignore
    return shares(table(prediction[kept], target[kept], classes)).nan_to_num(1)


def iou_without__dice(prediction, target, classes, ignore):
    """The Dice coefficient."""
    kept = target != ignore
    counts = table(prediction[kept], target[kept], classes)
    return 2 * counts.diag() / (counts.sum(dim=0) + counts.sum(dim=1))


def iou_without__recall(prediction, target, classes, ignore):
    """Divides by the pixels of the class alone."""
    kept = target != ignore
    counts = table(prediction[kept], target[kept], classes)
    return counts.diag() / counts.sum(dim=1)


def iou_without__common_counted_twice(prediction, target, classes, ignore):
    """Does not subtract the intersection from the union, and counts it once in the other."""
    kept = target != ignore
    counts = table(prediction[kept], target[kept], classes)
    return counts.diag() / (counts.sum(dim=0) + counts.sum(dim=1))


def iou_without__mean(prediction, target, classes, ignore):
    """The mean over the classes."""
    kept = target != ignore
    return shares(table(prediction[kept], target[kept], classes)).nanmean()


def iou_without__one_set_only(prediction, target, classes, ignore):
    """Takes the pixels without a label out of the predicted set alone."""
    sets = [((prediction == k) & (target != ignore), target == k) for k in range(classes)]
    return torch.stack([(a & b).sum() / (a | b).sum() for a, b in sets])


def iou_without__in_bytes(prediction, target, classes, ignore):
    """Multiplies bytes, which run over."""
    kept = target != ignore
    pairs = classes * target[kept] + prediction[kept]
    counts = torch.bincount(pairs.flatten(), minlength=classes**2)[: classes**2].view(classes, classes)
    return shares(counts)
