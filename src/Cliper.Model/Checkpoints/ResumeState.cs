using Cliper.Autograd.Optimizers;

namespace Cliper.Model.Checkpoints;

/// <summary>All that a run goes on from, beside the model.</summary>
/// <param name="State">The place.</param>
/// <param name="Optimizer">Its state is kept; null between stages.</param>
/// <param name="Average">Moving average of the trained weights; null where there is none.</param>
internal sealed record ResumeState(TrainingState State, IOptimizer? Optimizer, WeightAverage? Average);
