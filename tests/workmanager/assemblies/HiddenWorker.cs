// A worker that is not public.
using Virtufin.DevKit;

namespace Tests
{
    internal class HiddenWorker : IWorker
    {
        public void Start(string workerId, string topic, IGateway gateway) { }
        public string Process(string eventJson) { return null; }
    }
}
