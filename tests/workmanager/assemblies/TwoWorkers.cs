// Two classes that could be the worker.
using Virtufin.DevKit;

namespace Tests
{
    public class First : IWorker
    {
        public void Start(string workerId, string topic, IGateway gateway) { }
        public string Process(string eventJson) { return null; }
    }

    public class Second : First, IWorker { }
}
