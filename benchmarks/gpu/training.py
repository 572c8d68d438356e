"""A whole trial, and a bare loop of the same steps to hold it against."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from benchmarks.gpu.questions import MAX_LR, PATIENCE_S, request
from benchmarks.gpu.setting import Setting
from superconv_tune.data.batches import ResidentSource
from superconv_tune.data.normalise import normalised
from superconv_tune.problems.problem import Problem
from superconv_tune.record.trial import TrialOutcome
from superconv_tune.trial.run import run
from superconv_tune.trial.trackers import NullTracker


@dataclass(frozen=True)
class Work:
    """Steps of a batch size on a problem."""

    setting: Setting
    problem: Problem
    batch_size: int

    def trial(self, steps: int) -> TrialOutcome:
        """A whole trial, as a worker runs it.

        Raises:
            RuntimeError: if it did not train to its end.
        """
        deadline = time.time() + PATIENCE_S
        asked = request(self.problem, self.batch_size, steps, self.setting.precision, deadline)
        outcome = run(asked, self.problem, NullTracker(), time.time)
        if outcome.status != "finished":
            raise RuntimeError(f"A trial ended as {outcome.status}: {outcome.reason}")
        return outcome

    def bare_s(self, steps: int) -> float:
        """Seconds of as many steps in a loop that does nothing else: no record, no schedule, no clock, no judge."""
        source, device = self.problem.train, self.setting.device
        assert isinstance(source, ResidentSource)
        assert source.normaliser is not None
        model = self.problem.make_model().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        params = request(self.problem, self.batch_size, steps, "fp32", 0.0).params
        optimizer = self.problem.make_optimizer(model, params)
        for group in optimizer.param_groups:
            group["lr"] = MAX_LR
        mean, inverse_std = source.normaliser.on(device)
        per_epoch = source.steps_per_epoch(self.batch_size)
        model.train()
        self.setting.wait()
        began = time.perf_counter()
        for step in range(steps):
            place = step % per_epoch
            if place == 0:
                order = torch.randperm(len(source.targets), device=device)
            rows = order[place * self.batch_size : (place + 1) * self.batch_size]
            inputs = normalised(source.inputs[rows], mean, inverse_std).contiguous(memory_format=torch.channels_last)
            optimizer.zero_grad(set_to_none=True)
            with torch.autocast(device.type, torch.bfloat16, enabled=self.setting.precision == "bf16"):
                outputs = model(inputs)
            torch.autograd.backward(F.cross_entropy(outputs.float(), source.targets[rows]))
            optimizer.step()
        self.setting.wait()
        return time.perf_counter() - began
