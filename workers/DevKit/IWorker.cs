namespace Virtufin.DevKit
{
    /// <summary>What a host runs: one CloudEvent in, at most one out. The host looks for this interface by name.</summary>
    public interface IWorker
    {
        /// <summary>Called once, before the first event.</summary>
        /// <param name="workerId">Id that the WorkManager gave to this worker.</param>
        /// <param name="topic">Topic that the worker shares with others of its kind.</param>
        /// <param name="gateway">The way to the platform's services.</param>
        void Start(string workerId, string topic, IGateway gateway);

        /// <summary>Handles one event.</summary>
        /// <param name="eventJson">A CloudEvent in JSON form.</param>
        /// <returns>A CloudEvent in JSON form, whose type is the topic that it goes to; null for none.</returns>
        string Process(string eventJson);
    }
}
