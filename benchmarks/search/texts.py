"""The words of docs/search-benchmark.md."""

from typing import Final

TEXT: Final = """# How few render seconds reach a good clip

Made by `{command}` from a table of scores that `{recorded_by}` recorded ({parts}; {library}).

![Score by render seconds](search-benchmark.svg)

**The default strategy (`search.draft: auto`) is {default}. The schedule that it is held against is
{reference}, whose clips score {score} in the mean.** {headline}

## What is measured

`benchmarks/search/landscape.csv` holds {clips:,} clips: {prompts} prompts (robots, vehicles, film) x {captions}
captions x {seeds} seeds x 2 tiers, the raw prompts, and cheaper drafts, each rendered once by the animatic and judged
once by the measured signals, always against the user's own prompt. Target tier: {width}x{height}; draft tier:
{draft_width}x{draft_height}; {frames} frames at {fps} a second, {steps} steps.

The captions of a prompt are the ones that the loop itself wrote, at the target tier on all {seeds} seeds: the
expanded prompt, and four rewrites in a row, each from the champion's critique and history ({rewrites} of them). Where
the rules had no word left for the champion, they rewrote the next best caption instead ({detours}); the loop would
have tried the champion on fresh seeds, of which a table has few. Captions that the animatic reads alike are the same
pixels on a seed: such a clip was made once, and counts everywhere.

A strategy is replayed by the real loop (`agent.controller`, with its stop rules, racing and drafts), whose three
parts look everything up in the table, on a clock that skips the waiting. One endpoint renders. A clip is judged while
the next one is rendered; where its verdict may end the run, the next one waits for it (`search.await_verdicts`). Every
strategy runs on every prompt with each of the {seeds} seeds first: {orders} runs. The names say captions x seeds, and
after the plus on how many seeds, at most, the best caption is rendered as asked where captions are compared by drafts.

* *Prices.* Published: {model}'s image-to-video on one {hardware}, {published_frames} frames: {price} s at 480p,
  {draft_price} s at 256p, in proportion to the steps; a server's running render cannot be stopped. Recorded: the
  processor seconds of the animatic (mean {target_seconds} s and {draft_seconds} s; judging takes {judge_seconds} s),
  which stops where it is told to.
* *Seconds to the reference's score.* Cap the render seconds of a prompt: no render may end beyond the cap. S(t) is
  the mean score of the clips that would be handed over at the cap t, 0 where there is none, and M(t) the mean of the
  seconds spent. The figure is M(t) at the least t whose S(t) is the reference's final score, over the reference's
  seconds ({total} s published, {total_recorded} s recorded). It is what an oracle would need that knows when to stop.
* *Score and seconds at its own end*: where the strategy's own rules stop it, without an oracle.
* *Intervals*: 95 %, by {resamples:,} resamples of prompts with replacement and, for each, of the orders of its seeds.
  *never*: the reference's score is not reached at all; *never in*: in that share of the resamples.

## Strategies

At published prices, and in the last column at the recorded ones.

{strategies}

![Render seconds to the reference's score](search-benchmark-ratios.svg)

## Without its parts

Seconds to the reference's score; score at the own end against the reference's, for what share of its seconds.

{ablations}

Without drafts every caption is rendered as asked, on one seed. Pairing is taken away by the benchmark and not by a
setting: each caption has seeds of its own, and the highest mean wins; it is shown on a strategy for which the table has
seeds enough. Racing saves nothing on the first two seeds of a server with one endpoint: while the first clip is judged,
the second is being rendered already.

## Drafts

Rank correlation of draft and target scores over the {captions} captions of a prompt, scores averaged over seeds, mean
of the prompts: {spearman} for drafts of the same frames and steps. Over all prompts together: {pooled}. The best
caption by drafts scores {regret} less at the target tier than the best one (the captions of a prompt lie {range}
apart, in the median).

{correlations}

*one seed*: the draft on one seed against the target's mean. *other seeds*: drafts on half of the seeds against the
target on the other half: what drafts say of the words alone. {tiers_of_prompts} `--write` puts the column
*Spearman* of those that were rendered for every prompt into `agent/forecasting/draft_correlation.yaml`, by which a
run decides whether drafts are worth making. Late captions are nearly alike, so that ranks turn over where hardly
anything is lost: see *regret*.

## A judge of pairs: a simulation

The measured signals compare no pairs, so this part is simulated, with the loop's own final choice. The recorded score
is taken for the truth; the critic sees it with normal noise of the standard deviation given; a judge of pairs decides
among the clips within {margin:g} of the best (the four of a 2x2 run), in both orders. One answer in one order is
right with the accuracy given, {bias:g} more often where the better clip is shown first and {bias:g} less where it is
second. The figures are regret: the score lost against the best of the four.

{pairs}

![Simulated regret](search-benchmark-pairs.svg)

## What the figures do not show

* **Nothing here is Cosmos3.** Rules, animatic and signals were written for one another: words move the score further
  and more surely than they would with a world model and a judge that reads meaning.
* **The critic is the truth.** What is chosen by a score is judged by the same score, so that choosing never errs.
  With a noisy judge all strategies lose, and those that choose among more clips lose more.
* **A draft's seed.** In the animatic a seed composes the scene at every size; a diffusion model's noise at another size
  is another. The strategy with drafts on other seeds shows what is left when a draft tests the words alone.
* **The chain of captions is fixed.** A replay hands out the recorded rewrites in their order, whatever its own clips
  were. What pairing is worth for the rewriter (to start from the right caption) is not in its ablation. The rules
  named at the top wrote them; those that ship as this page is made, {rules}, may write others.
* **Prices are published, not measured here**, and for fewer steps computed in proportion to them: what does not hang on
  the steps, about an eighth by the one published breakdown, is not counted. Judging and writing captions cost nothing.
* **Short clips.** {frames} frames at {fps} a second; from text, no first frame.
* **One endpoint.** With several, an iteration's renders run at the same time: less is saved by stopping early, and the
  wall time, which is not measured here, is another.
* **The default strategy was chosen by these figures.** The one on every second prompt says how much of it is luck.
"""
