// A worker without a constructor that the platform could call.
using Virtufin.DevKit;

namespace Tests
{
    public class NeedsArguments : IWorker
    {
        public NeedsArguments(string name) { }
        public void Start(string workerId, string topic, IGateway gateway) { }
        public string Process(string eventJson) { return null; }
    }
}
