// A worker whose constructor throws.
using System;
using Virtufin.DevKit;

namespace Tests
{
    public class ThrowingConstructor : IWorker
    {
        public ThrowingConstructor() { throw new InvalidOperationException("no licence found"); }
        public void Start(string workerId, string topic, IGateway gateway) { }
        public string Process(string eventJson) { return null; }
    }
}
