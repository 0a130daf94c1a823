// A worker that ends its process when it starts.
using System;
using Virtufin.DevKit;

namespace Tests
{
    public class AbortingStart : IWorker
    {
        public void Start(string workerId, string topic, IGateway gateway)
        {
            Environment.FailFast("a library is missing");
        }

        public string Process(string eventJson) { return null; }
    }
}
