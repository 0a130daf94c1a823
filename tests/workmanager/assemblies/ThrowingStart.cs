// A worker with explicit methods, whose Start throws.
using System;
using Virtufin.DevKit;

namespace Tests
{
    public class ThrowingStart : IWorker
    {
        void IWorker.Start(string workerId, string topic, IGateway gateway)
        {
            throw new ArgumentException("topic " + topic + " is not mine");
        }

        string IWorker.Process(string eventJson) { return null; }
    }
}
