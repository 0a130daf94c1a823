// The contract that a worker's assembly carries in itself (docs/architecture.md, "The .NET contract").
namespace Virtufin.DevKit
{
    public interface IGateway { string Invoke(string service, string method, string requestJson); }

    public interface IWorker
    {
        void Start(string workerId, string topic, IGateway gateway);
        string Process(string eventJson);
    }
}
