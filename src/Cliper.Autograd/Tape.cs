using Cliper.Kernels.Memory;

namespace Cliper.Autograd;

/// <summary>
/// One step's arithmetic. Operations are methods of the tape (one file each under Operations/); those that depend on a
/// tensor with <see cref="Tensor.RequiresGrad"/> are recorded, and <see cref="Backward"/> plays them back, freeing
/// every activation as soon as its last reader is done. Disposing the tape ends whatever its operations made.
/// Gradients of parameters add up over steps until <see cref="Tensor.ClearGradient"/>. Not thread-safe.
/// </summary>
/// <param name="device">Where the operations run.</param>
/// <param name="recording">False for inference: nothing is kept for a backward pass.</param>
public sealed partial class Tape(Device device, bool recording = true) : IDisposable
{
    private readonly List<Tensor> _made = [];
    private readonly List<Node> _nodes = [];

    // Whether an operation has met an operand that requires a gradient, recorded or not: Recompute asks its silent
    // tape.
    private bool _metParameter;

    private readonly record struct Node(Tensor Output, Action Backward, DeviceArray[] Saved);

    /// <summary>Where the operations run.</summary>
    public Device Device { get; } = device;

    /// <summary>Whether operations on tensors that require gradients are recorded.</summary>
    public bool Recording { get; } = recording;

    /// <summary>
    /// Whether weights keep packed copies beside them that later calls use. Not where weights change before the next
    /// call.
    /// </summary>
    internal bool KeepsPackedWeights { get; init; } = !recording;

    /// <summary>
    /// Whether this tape runs a block of <see cref="Checkpoint"/> again: what a pass leaves behind, such as running
    /// statistics, has been left by the first pass.
    /// </summary>
    internal bool IsRecomputation { get; init; }

    /// <summary>
    /// Ends the work with an <see cref="OperationCanceledException"/> before the next operation. A forward pass of a
    /// large model takes many seconds on a processor, and leaves nothing behind that has to be undone.
    /// </summary>
    public CancellationToken Cancellation { get; init; }

    /// <summary>A tensor that lives as long as this step: an input, or an operation's output.</summary>
    public Tensor New(Shape shape, ElementType type = ElementType.Float32)
    {
        Cancellation.ThrowIfCancellationRequested();
        return Own(new Tensor(Device, shape, type));
    }

    /// <summary>An operation's output that the device stores as it stores activations.</summary>
    internal Tensor NewActivation(Shape shape) => New(shape, Device.Activations);

    /// <summary>Makes the tape end <paramref name="tensor"/>, such as an input made for this step.</summary>
    public Tensor Own(Tensor tensor)
    {
        _made.Add(tensor);
        return tensor;
    }

    /// <summary>
    /// Starts a stretch of work, such as one block of a tower, after which temporaries are ended at once: all that was
    /// made since, except what is kept, what requires a gradient, and what a recorded operation still reads.
    /// </summary>
    public Scope BeginScope() => new(this);

    /// <summary>Whether an operation on these has to be recorded. Null operands count for nothing.</summary>
    internal bool Needs(params ReadOnlySpan<Tensor?> operands)
    {
        bool needs = false;
        foreach (Tensor? operand in operands)
        {
            if (operand is not { RequiresGrad: true })
                continue;
            needs = true;
            operand.Root.Consumers++;
        }
        _metParameter |= needs;
        return needs && Recording;
    }

    /// <summary>
    /// Records how the gradient of <paramref name="output"/> flows back. <paramref name="backward"/> reads
    /// output.Gradient and writes the GradientTarget of each operand that requires one.
    /// </summary>
    /// <param name="output">The result of the operation.</param>
    /// <param name="backward">The backward pass; run once.</param>
    /// <param name="reads">Tensors whose data the backward pass reads.</param>
    /// <param name="saved">Arrays made for the backward pass alone; freed after it.</param>
    internal void Record(Tensor output, Action backward, ReadOnlySpan<Tensor?> reads, params DeviceArray[] saved)
    {
        output.RequiresGrad = true;
        foreach (Tensor? tensor in reads)
            tensor?.MarkSaved();
        _nodes.Add(new Node(output, backward, saved));
    }

    /// <summary>Where an operand's gradient goes; no target for an operand that requires none.</summary>
    private static GradientTarget Target(Tensor? operand) =>
        operand is { RequiresGrad: true } ? operand.GradientTarget() : default;

    /// <summary>
    /// Plays the recorded operations back from <paramref name="loss"/> and writes the gradients of every parameter that
    /// requires one. Frees the activations as it goes: read what you want to read before.
    /// </summary>
    /// <param name="loss">One element.</param>
    /// <param name="scale">The loss's own gradient: 1, one over the micro-batches, or a loss scale.</param>
    /// <exception cref="InvalidOperationException">Nothing recorded leads to the loss.</exception>
    public void Backward(Tensor loss, float scale = 1)
    {
        if (loss.Shape.Count != 1 || !loss.RequiresGrad)
            throw new InvalidOperationException($"no recorded loss: shape {loss.Shape}");
        DeviceArray seed = loss.GradientTarget().Array;
        Device.Upload(System.Runtime.InteropServices.MemoryMarshal.AsBytes(new ReadOnlySpan<float>(in scale)), seed);
        PlayBack();
    }

    /// <summary>
    /// Plays the recorded operations back from an output whose gradient is known, as <see cref="Backward"/> does from a
    /// loss: for a part of a step whose loss another tape has computed.
    /// </summary>
    /// <param name="output">An output of a recorded operation.</param>
    /// <param name="gradient">The loss's gradient by it, of the same length and type; copied.</param>
    /// <exception cref="InvalidOperationException">Nothing recorded leads to the output.</exception>
    public void BackwardFrom(Tensor output, DeviceArray gradient)
    {
        if (!output.RequiresGrad)
            throw new InvalidOperationException($"no recorded output: shape {output.Shape}");
        Device.Copy(gradient, output.GradientTarget().Array);
        PlayBack();
    }

    /// <summary>Plays back from outputs whose gradients have been written by the caller.</summary>
    internal void PlayBack()
    {
        for (int index = _nodes.Count - 1; index >= 0; index--)
        {
            Node node = _nodes[index];
            if (node.Output.HasGradient)
                node.Backward();
            // When this or an earlier node's backward throws, Dispose frees what is still in the list, and nothing
            // twice, so that the error that is seen is the real one.
            _nodes.RemoveAt(index);
            foreach (DeviceArray saved in node.Saved)
                Device.Free(saved);
            node.Output.Dispose();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Node node in _nodes)
            foreach (DeviceArray saved in node.Saved)
                Device.Free(saved);
        _nodes.Clear();
        foreach (Tensor tensor in _made)
            tensor.Dispose();
        _made.Clear();
    }

    /// <summary>See <see cref="BeginScope"/>.</summary>
    public readonly struct Scope : IDisposable
    {
        private readonly Tape _tape;
        private readonly int _start;
        private readonly List<Tensor> _kept = [];

        internal Scope(Tape tape)
        {
            _tape = tape;
            _start = tape._made.Count;
        }

        /// <summary>Lets <paramref name="tensor"/> outlive the scope.</summary>
        public Tensor Keep(Tensor tensor)
        {
            _kept.Add(tensor.Root);
            return tensor;
        }

        /// <inheritdoc/>
        public void Dispose()
        {
            List<Tensor> made = _tape._made;
            int survivors = _start;
            for (int index = _start; index < made.Count; index++)
            {
                Tensor tensor = made[index];
                if (tensor.RequiresGrad || tensor.IsSaved || _kept.Contains(tensor))
                    made[survivors++] = tensor;
                else
                    tensor.Dispose();
            }
            made.RemoveRange(survivors, made.Count - survivors);
        }
    }
}
