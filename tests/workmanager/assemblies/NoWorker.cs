// An assembly without a worker.
namespace Tests
{
    public class NoWorker { }
}
